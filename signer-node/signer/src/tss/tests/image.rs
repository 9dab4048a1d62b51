//! What a process image holds of a presignature, and when no more.

use std::io::{Read as _, Seek as _, SeekFrom};

use tercet_policy::party::Party::{Agent, Operator};

use super::super::*;
use super::presigned;
use super::support::{self, proof, wallet};
use crate::tss::presignature::MASK;

/// Memory that is read at a time, in bytes.
const CHUNK: usize = 4 * 1024 * 1024;

/// Secrets to look for, each under the mask, so that looking leaves no copy.
struct Wanted(Vec<[u8; 32]>);

impl Wanted {
    /// Both numbers of both halves, in either order of bytes.
    fn of(halves: &[Presignature; 2]) -> Self {
        let wanted = Self::read(halves);
        overwrite_stack();
        wanted
    }

    #[inline(never)]
    fn read(halves: &[Presignature; 2]) -> Self {
        let numbers = halves.iter().flat_map(Presignature::masked);
        let turned = |number: [u8; 32]| {
            let mut little = number;
            little.reverse();
            [number, little]
        };
        Self(numbers.flat_map(turned).collect())
    }

    /// How many of the secrets are in the writable memory of this process.
    fn found(&self) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut chunk = vec![0; CHUNK];
        let mut found = vec![false; self.0.len()];
        for (from, to) in maps.lines().filter_map(writable) {
            let mut at = from;
            while at < to {
                let bytes = usize::try_from(to - at).unwrap().min(CHUNK);
                let read = memory
                    .seek(SeekFrom::Start(at))
                    .and_then(|_| memory.read_exact(&mut chunk[..bytes]));
                // A region that went away since the list was read holds nothing.
                if read.is_ok() {
                    for (found, wanted) in found.iter_mut().zip(&self.0) {
                        *found |= holds(&chunk[..bytes], wanted);
                    }
                }
                // What spans two chunks is in the second one.
                at += u64::try_from(bytes).unwrap();
                at = if at < to { at - 32 } else { at };
            }
        }
        found.into_iter().filter(|found| *found).count()
    }
}

/// Writes over what reading the numbers left below this frame.
#[inline(never)]
fn overwrite_stack() {
    let mut frame = [0u8; 256 * 1024];
    std::hint::black_box(&mut frame);
}

/// Whether a secret is in there; it is compared byte by byte, and never written down.
fn holds(memory: &[u8], masked: &[u8; 32]) -> bool {
    let is_at = |at: usize| {
        let there = memory.get(at..at + 32);
        there.is_some_and(|there| there.iter().zip(masked).all(|(byte, m)| byte ^ MASK == *m))
    };
    memchr::memchr_iter(masked[0] ^ MASK, memory).any(is_at)
}

fn writable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let (from, to) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    rights.starts_with("rw").then_some((number(from)?, number(to)?))
}

#[tokio::test]
async fn after_its_use_a_presignature_is_nowhere_in_the_process_image() {
    let ready = support::ready(wallet().await);
    let halves = presigned::pair_of(&ready, &[Agent, Operator]).await;
    let wanted = Wanted::of(&halves);
    assert!(wanted.found() > 0, "the search must find what is there");
    let [a, b] = halves.map(|half| half.issue(proof(&ready, &[Agent, Operator])).unwrap());
    let (of_a, of_b) = (a.partial(), b.partial());
    drop((a.finish(&of_b).unwrap(), b.finish(&of_a).unwrap()));
    assert_eq!(wanted.found(), 0, "it was used");

    let unused = presigned::pair_of(&ready, &[Agent, Operator]).await;
    let wanted = Wanted::of(&unused);
    drop(unused);
    assert_eq!(wanted.found(), 0, "it was dropped");
}
