//! What an agent says of a payment for its policies to look at: the session it belongs to, and
//! values that conditions read.
//!
//! Does not protect against: an agent that says something untrue. What is declared narrows what an
//! honest agent may do; it never replaces a limit.

use tercet_policy::context::Context;
use tercet_policy::declared::{Declared, SessionName};

/// What an agent declares of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// The session the payment belongs to; session budgets count by it.
    pub session: Option<SessionName>,
    /// Values for conditions, such as `context.confidence > decimal("0.8")`.
    pub context: Context,
}

impl From<Declaration> for Declared {
    fn from(Declaration { session, context }: Declaration) -> Self {
        Self { session, context, ..Self::default() }
    }
}
