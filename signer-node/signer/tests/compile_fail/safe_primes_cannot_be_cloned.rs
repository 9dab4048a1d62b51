fn twice(primes: &tercet_signer::primes::SafePrimes) -> tercet_signer::primes::SafePrimes {
    primes.clone()
}

fn main() {}
