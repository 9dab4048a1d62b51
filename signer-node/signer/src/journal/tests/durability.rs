//! Killed processes, full disks, and changed files.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command as Program, Stdio};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tercet_policy::evidence::{SafeBlock, VoidProof};
use tercet_policy::ledger::SpendState;

use super::super::*;
use super::fixture::*;
use crate::home::HomeError;
use crate::kek::{Argon2Cost, Kek, Passphrase};
use crate::sealed::SealedName;

#[tokio::test]
async fn reopening_rebuilds_the_same_book() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    for n in 0..20 {
        let row = paid(&journal, n).await;
        if n % 2 == 0 {
            journal.release(&row, NOW).await.unwrap();
        }
        if n % 5 == 0 {
            journal.record_outcome(void(&row)).await.unwrap();
        }
    }
    let bump = proposal(&journal, transfer(90), Some(fees(1, 10)));
    let _reserved = journal.admit(bump, NOW).await.unwrap();
    let before = journal.look(|state| state.book().clone()).await.unwrap();
    let (head, unsettled) = (journal.head(), journal.unsettled().await.unwrap());
    assert_eq!(unsettled.len(), 17);
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.look(|state| state.book().clone()).await.unwrap(), before);
    assert_eq!(journal.head(), head);
    assert_eq!(journal.unsettled().await.unwrap(), unsettled);
}

#[tokio::test]
async fn an_outcome_is_one_row_and_a_contrary_one_is_refused() {
    let (place, journal) = Place::with_policy("0.25 USDC").await;
    let row = paid(&journal, 1).await;
    journal.record_outcome(void(&row)).await.unwrap();
    let head = journal.head();
    journal.record_outcome(void(&row)).await.unwrap();
    assert_eq!(journal.head(), head);
    assert_eq!(code(&pay(&journal, 1).await), "intent_is_over");
    assert_eq!(code(&pay(&journal, 2).await), "ok", "void gives it back");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "intent_is_over");
    assert_eq!(journal.spend_state(intent_id(1)).await.unwrap(), Some(SpendState::Void));
}

/// A child process admits payments and reports each one that was answered; it is killed in the
/// middle. Every answered payment must be in the journal that is left.
#[tokio::test]
async fn whatever_was_answered_before_a_kill_is_there_after_it() {
    const CHILD: &str = "TERCET_TEST_JOURNAL_CHILD";
    if let Some(home) = std::env::var_os(CHILD) {
        let journal = open_at(Path::new(&home)).await.unwrap();
        for n in 0.. {
            let code = code(&pay(&journal, n).await);
            println!("answered {n} {code}");
        }
    }
    let (place, journal) = Place::with_policy("100000 USDC").await;
    place.close(journal).await;
    let mut child = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("journal::tests::durability::whatever_was_answered_before_a_kill_is_there_after_it")
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answered = Vec::new();
    for line in lines.map_while(Result::ok) {
        let Some(at) = line.find("answered ") else { continue };
        let mut words = line[at..].split_whitespace().skip(1);
        answered.push(words.next().unwrap().parse::<u32>().unwrap());
        assert_eq!(words.next(), Some("ok"));
        if answered.len() == 50 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(answered.len() >= 50);
    let journal = place.open().await.unwrap();
    for n in answered {
        let state = journal.spend_state(intent_id(n)).await.unwrap();
        assert_eq!(state, Some(SpendState::Reserved), "payment {n}");
        assert!(pay(&journal, n).await.unwrap().same_again(), "payment {n}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_before_answering_and_leaves_nothing_half_written() {
    let (place, journal) = Place::with_policy("100000 USDC").await;
    place.close(journal).await;
    let pages = std::fs::metadata(place.file()).unwrap().len().div_ceil(4096);
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let pages_max = u32::try_from(pages).unwrap() + 8;
    let journal = Journal::open_with(home, pins(), NOW, pages_max).await.unwrap();
    let mut admitted = Vec::new();
    let mut n = 0;
    let full = loop {
        match pay(&journal, n).await {
            Ok(reserved) => admitted.push(reserved.row().clone()),
            Err(AdmitError::Journal(error)) => break error,
            Err(refused) => panic!("{refused}"),
        }
        n += 1;
    };
    let right = matches!(&full, JournalError::Store(fault) if fault.kind == StoreFaultKind::Full);
    assert!(right, "{full:?}");
    assert!(!admitted.is_empty());
    let later = [
        pay(&journal, 0).await.map(drop).unwrap_err(),
        pay(&journal, n + 1).await.map(drop).unwrap_err(),
        AdmitError::Journal(journal.unsettled().await.unwrap_err()),
        AdmitError::Journal(journal.note_execution([1; 32]).await.unwrap_err()),
    ];
    for later in later {
        let sealed = matches!(later, AdmitError::Journal(JournalError::Sealed { .. }));
        assert!(sealed, "{later:?}");
    }
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.spend_state(intent_id(n)).await.unwrap(), None, "was refused");
    assert_eq!(journal.unsettled().await.unwrap(), admitted);
    assert_eq!(code(&pay(&journal, n).await), "ok", "there is room again");
}

/// Changes of the file by somebody who can write it, and what opening says.
#[tokio::test]
async fn a_changed_file_is_refused() {
    let untrigger = "DROP TRIGGER rows_stay; DROP TRIGGER rows_are_kept;";
    let table: [(&'static str, &'static str); 8] = [
        ("a smaller amount", "UPDATE rows SET body = replace(body, '\"250000\"', '\"000001\"')"),
        ("a row cut out", "DELETE FROM rows WHERE seq = 5"),
        ("the first row cut out", "DELETE FROM rows WHERE seq = 1"),
        ("a hash changed", "UPDATE rows SET row_hash = zeroblob(32) WHERE seq = 6"),
        ("a link changed", "UPDATE rows SET prev_hash = zeroblob(32) WHERE seq = 6"),
        ("a claim removed", "UPDATE rows SET claim = NULL WHERE seq = 6"),
        ("a row renumbered", "UPDATE rows SET seq = 99 WHERE seq = (SELECT max(seq) FROM rows)"),
        (
            "two rows swapped",
            "UPDATE rows SET seq = -1 * seq WHERE FALSE; \
             CREATE TEMP TABLE t AS SELECT * FROM rows WHERE seq IN (5, 6); \
             DELETE FROM rows WHERE seq IN (5, 6); DROP TRIGGER rows_follow; \
             INSERT INTO rows SELECT 11 - seq, claim, body, prev_hash, row_hash FROM t",
        ),
    ];
    for (what, change) in table {
        let (place, journal) = Place::with_policy("10 USDC").await;
        for n in 0..5 {
            paid(&journal, n).await;
        }
        place.close(journal).await;
        tamper(&place, untrigger).await.unwrap();
        tamper(&place, change).await.unwrap();
        let refused = place.open().await.map(drop);
        assert!(matches!(refused, Err(JournalError::Tampered { .. })), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn the_database_itself_only_takes_more_rows() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    paid(&journal, 1).await;
    journal.note_execution([1; 32]).await.unwrap();
    let node = NodeId::new("operator-01").unwrap();
    let head = Head { rows: 9, hash: ContentHash([1; 32]), tag: ContentHash([2; 32]) };
    journal.note_peer_head(Heard { node, start: [3; 32], head }).await.unwrap();
    place.close(journal).await;
    let refused = [
        "UPDATE rows SET body = 'x'",
        "DELETE FROM rows",
        "INSERT INTO rows VALUES (77, NULL, 'x', zeroblob(32), zeroblob(32))",
        "INSERT INTO rows SELECT 1 + max(seq), claim, 'x', zeroblob(32), zeroblob(32) FROM rows",
        "DELETE FROM executions",
        "UPDATE peer_heads SET rows = 1",
    ];
    for statement in refused {
        assert!(tamper(&place, statement).await.is_err(), "{statement}");
    }
    assert!(place.open().await.is_ok());
}

#[tokio::test]
async fn what_is_no_journal_is_refused() {
    let place = Place::empty();
    let write = |bytes: &[u8]| {
        std::fs::write(place.file(), bytes).unwrap();
        std::fs::set_permissions(place.file(), PermissionsExt::from_mode(0o600)).unwrap();
    };
    write(
        b"not a database, but longer than the header of one, which has a hundred bytes, all \
        of which are looked at",
    );
    let refused = place.open().await.map(drop);
    let corrupt = matches!(&refused, Err(JournalError::Store(f))
        if f.kind == StoreFaultKind::Corrupt);
    assert!(corrupt, "{refused:?}");
}

/// Of another release, an older or a newer one: it says which, and leaves the file as it is.
#[tokio::test]
async fn a_journal_of_another_format_is_refused_and_not_touched() {
    for (found, statement) in [(1, "PRAGMA user_version = 1"), (3, "PRAGMA user_version = 3")] {
        let (place, journal) = Place::with_policy("10 USDC").await;
        paid(&journal, 1).await;
        place.close(journal).await;
        tamper(&place, statement).await.unwrap();
        let before = std::fs::read(place.file()).unwrap();
        let refused = place.open().await.map(drop).unwrap_err();
        assert_eq!(refused, JournalError::UnknownFormat { found, known: 2 });
        let told = refused.to_string();
        assert!(told.contains(&format!("has format {found}; this release reads 2")), "{told}");
        assert_eq!(std::fs::read(place.file()).unwrap(), before, "the file was changed");
        tamper(&place, "PRAGMA user_version = 2").await.unwrap();
        let journal = place.open().await.unwrap();
        assert!(pay(&journal, 1).await.unwrap().same_again());
    }
}

#[tokio::test]
async fn a_journal_that_others_may_read_is_refused() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let mode = |name: &str| {
        std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("journal.sqlite"), mode("journal.sqlite-wal")), (0o600, 0o600));
    place.close(journal).await;
    std::fs::set_permissions(place.file(), PermissionsExt::from_mode(0o644)).unwrap();
    let refused = place.open().await.map(drop);
    assert!(matches!(refused, Err(JournalError::Home(_))), "{refused:?}");
}

#[tokio::test]
async fn shares_need_a_journal_that_knows_them() {
    let place = Place::empty();
    let seal = |wallet| {
        let home = Home::open(&place.path()).unwrap();
        let passphrase = Passphrase::new(b"correct horse battery".to_vec()).unwrap();
        let cost = Argon2Cost::insecure_for_tests();
        let kek = if home.has_kek().unwrap() {
            Kek::unlock(&home, &passphrase, cost).unwrap()
        } else {
            Kek::create(&home, &passphrase, cost).unwrap()
        };
        home.seal(&SealedName::KeyShare { wallet }, NOW, b"share", &kek).unwrap();
    };
    let journal = place.open().await.unwrap();
    journal.add_wallet(agent(), WALLET, RequestId([5; 32])).await.unwrap();
    place.close(journal).await;
    seal(WALLET);
    let journal = place.open().await.unwrap();
    place.close(journal).await;
    let unknown = Address::repeat_byte(7);
    seal(unknown);
    let refused = place.open().await.map(drop);
    assert_eq!(refused, Err(JournalError::OlderThanShares { wallet: unknown }));
    for nothing_of in [None, Some(b"".as_slice())] {
        std::fs::remove_file(place.file()).unwrap();
        if let Some(bytes) = nothing_of {
            std::fs::write(place.file(), bytes).unwrap();
            std::fs::set_permissions(place.file(), PermissionsExt::from_mode(0o600)).unwrap();
        }
        let refused = place.open().await.map(drop);
        assert_eq!(refused, Err(JournalError::Missing { shares: 2 }));
        std::fs::write(place.file(), b"").unwrap();
    }
}

#[tokio::test]
async fn a_closed_journal_refuses() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    journal.close().await.unwrap();
    let refused = pay(&journal, 1).await;
    assert!(matches!(refused, Err(AdmitError::Journal(JournalError::Closed))));
    assert_eq!(journal.close().await, Err(JournalError::Closed));
}

#[tokio::test]
async fn the_home_stays_locked_while_the_journal_is_open() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    assert!(matches!(Home::open(&place.path()), Err(HomeError::InUse { .. })));
    place.close(journal).await;
    assert!(Home::open(&place.path()).is_ok());
}

/// The authorization's time is over at a safe block, and it was not used.
fn void(row: &SpendRow) -> OutcomeRow {
    let block =
        SafeBlock { number: 1, hash: alloy_primitives::B256::ZERO, timestamp: NOW.plus(61) };
    OutcomeRow::void(VoidProof::eip3009(row, false, block).unwrap(), NOW)
}

async fn tamper(place: &Place, statements: &'static str) -> Result<(), sqlx::Error> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.file());
    let mut connection: SqliteConnection = options.connect().await?;
    sqlx::raw_sql(statements).execute(&mut connection).await?;
    connection.close().await
}
