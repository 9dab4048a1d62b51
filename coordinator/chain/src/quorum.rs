//! What several endpoints say, and what follows from it.

use crate::error::{ChainError, EndpointFailure, FailureCause, Read};

/// The answers of all endpoints to one question.
pub(crate) struct Answers<T> {
    read: Read,
    needed: usize,
    given: Vec<T>,
    failures: Vec<EndpointFailure>,
}

impl<T> Answers<T> {
    /// Sorts answers, given in the order of the endpoints, from failures.
    ///
    /// # Errors
    /// [`ChainError::WrongChain`] as soon as one endpoint serves another chain: that is no weather,
    /// it is a configuration in which the other answers mean little too.
    pub(crate) fn sort(
        read: Read,
        needed: usize,
        expected: tercet_policy::chain::Chain,
        results: Vec<Result<T, FailureCause>>,
    ) -> Result<Self, ChainError> {
        let mut answers = Self { read, needed, given: Vec::new(), failures: Vec::new() };
        for (endpoint, result) in results.into_iter().enumerate() {
            match result {
                Ok(answer) => answers.given.push(answer),
                Err(FailureCause::WrongChain { found }) => {
                    return Err(ChainError::WrongChain { endpoint, expected, found });
                }
                Err(cause) => answers.failures.push(EndpointFailure { endpoint, cause }),
            }
        }
        Ok(answers)
    }

    /// All answers, if at least a quorum of endpoints answered.
    pub(crate) fn of_a_quorum(self) -> Result<Vec<T>, ChainError> {
        if self.given.len() >= self.needed { Ok(self.given) } else { Err(self.none(0)) }
    }

    /// All answers, if anybody answered.
    pub(crate) fn of_anybody(self) -> Result<Vec<T>, ChainError> {
        if self.given.is_empty() { Err(self.none(0)) } else { Ok(self.given) }
    }

    /// The answer that a quorum gives.
    pub(crate) fn agreed(self) -> Result<T, ChainError>
    where
        T: PartialEq + Clone,
    {
        match most_common(&self.given) {
            Some((answer, votes)) if votes >= self.needed => Ok(answer.clone()),
            Some((_, votes)) => Err(self.none(votes)),
            None => Err(self.none(0)),
        }
    }

    fn none(self, agreeing: usize) -> ChainError {
        let Self { read, needed, failures, .. } = self;
        ChainError::NoQuorum { read, agreeing, needed, failures }
    }
}

/// The answer given most often, and how often.
pub(crate) fn most_common<T: PartialEq>(given: &[T]) -> Option<(&T, usize)> {
    let votes = |answer: &T| given.iter().filter(|other| *other == answer).count();
    given.iter().map(|answer| (answer, votes(answer))).max_by_key(|(_, votes)| *votes)
}

/// The highest value that at least `needed` of the given values reach. One endpoint cannot raise
/// it by a lie, as long as a quorum is honest.
pub(crate) fn reached_by<T: Ord + Copy>(given: &[T], needed: usize) -> Option<T> {
    let mut sorted = given.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.get(needed.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use tercet_policy::chain::Chain;

    use super::*;

    fn silent() -> Result<u8, FailureCause> {
        Err(FailureCause::Unreachable { reason: "gone".to_owned() })
    }

    fn agreed(results: Vec<Result<u8, FailureCause>>, needed: usize) -> Result<u8, ChainError> {
        Answers::sort(Read::Head, needed, Chain::Base, results)?.agreed()
    }

    #[test]
    fn only_equal_answers_make_a_quorum() {
        assert_eq!(agreed(vec![Ok(1), Ok(2), Ok(1)], 2), Ok(1));
        assert_eq!(agreed(vec![Ok(1), silent(), Ok(1)], 2), Ok(1));
        for short in [
            vec![Ok(1), Ok(2)],
            vec![Ok(1), silent()],
            vec![silent(), silent()],
            vec![Ok(1), Ok(2), Ok(3)],
        ] {
            assert!(matches!(agreed(short, 2), Err(ChainError::NoQuorum { needed: 2, .. })));
        }
    }

    #[test]
    fn a_wrong_chain_is_loud_even_beside_a_quorum() {
        let wrong = Err(FailureCause::WrongChain { found: 1 });
        let error = agreed(vec![Ok(1), Ok(1), wrong], 2).unwrap_err();
        assert_eq!(error, ChainError::WrongChain { endpoint: 2, expected: Chain::Base, found: 1 });
    }

    #[test]
    fn a_value_counts_when_a_quorum_reaches_it() {
        assert_eq!(reached_by(&[7, 1_000_000, 5], 2), Some(7));
        assert_eq!(reached_by(&[7], 1), Some(7));
        assert_eq!(reached_by(&[7], 2), None);
        assert_eq!(reached_by::<u8>(&[], 0), None);
    }
}
