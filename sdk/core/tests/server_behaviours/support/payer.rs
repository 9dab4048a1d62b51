//! A payer that signs whatever it is asked, counts it, and refuses beyond a budget.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use tercet::mpp::{VoucherAsk, VoucherSigner};
use tercet::seam::{PayError, Payer};
use tercet_api::payment::{RefusalBy, SigningWay};
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::chain::Chain;
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::document::Signed;
use tercet_policy::intent::{ExitChannel, MppExit, Payment, PaymentIntent, SignedIntent};
use tercet_policy::ledger::Ledger;
use tercet_policy::payload::{
    Authorization, Eip3009Payment, FinishedPayment, MppSignature, MppSigned,
    SignedTempoTransaction, WalletSignature, charge_memo, opened_channel,
};
use tercet_policy::proposal::{eip3009_nonce, tempo_terms_of};
use tercet_policy::refusal::Refusal;
use tercet_policy::report::ReportKind;
use tercet_policy::rules::Policy;
use tercet_policy::tempo::calls;
use tercet_policy::time::UnixSeconds;
use tokio::sync::Barrier;

#[derive(Default)]
pub(crate) struct FakePayer {
    state: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    signed: u8,
    nonces: BTreeSet<B256>,
    budget: Option<usize>,
    reports: Vec<ReportKind>,
    line_is_down: bool,
    swaps_payee: bool,
    needs_people: bool,
    gathering: Option<Arc<Barrier>>,
    intents: Vec<PaymentIntent>,
    vouchers: Vec<u128>,
    exits_wait_until: Option<UnixSeconds>,
    submitted: usize,
    policy: Option<Policy>,
}

impl FakePayer {
    /// How many signatures were made.
    pub(crate) fn signed(&self) -> u8 {
        self.state.lock().unwrap().signed
    }

    /// Every nonce that was signed.
    pub(crate) fn nonces(&self) -> BTreeSet<B256> {
        self.state.lock().unwrap().nonces.clone()
    }

    /// Every intent that was signed for, in order.
    pub(crate) fn intents(&self) -> Vec<PaymentIntent> {
        self.state.lock().unwrap().intents.clone()
    }

    /// Every voucher that was signed, in order, in base units.
    pub(crate) fn vouchers(&self) -> Vec<u128> {
        self.state.lock().unwrap().vouchers.clone()
    }

    /// From now on the policy grants so many nonces.
    pub(crate) fn grant(&self, nonces: usize) {
        self.state.lock().unwrap().budget = Some(nonces);
    }

    /// From now on this policy judges what is signed, as if nothing had been paid before.
    pub(crate) fn obey(&self, policy: &str) {
        self.state.lock().unwrap().policy = Some(Policy::parse(policy).unwrap());
    }

    /// From now on nobody answers, or somebody does again.
    pub(crate) fn line_is_down(&self, down: bool) {
        self.state.lock().unwrap().line_is_down = down;
    }

    /// What was reported, in order.
    pub(crate) fn reports(&self) -> Vec<ReportKind> {
        self.state.lock().unwrap().reports.clone()
    }

    /// From now on people must approve what is signed, or need not any more.
    pub(crate) fn needs_people(&self, needed: bool) {
        self.state.lock().unwrap().needs_people = needed;
    }

    /// From now on sessions are opened by so many at once.
    pub(crate) fn gather(&self, openers: usize) {
        self.state.lock().unwrap().gathering = Some(Arc::new(Barrier::new(openers)));
    }

    /// Until then no step out of a channel is signed: one is under way.
    pub(crate) fn let_exits_wait(&self, until: UnixSeconds) {
        self.state.lock().unwrap().exits_wait_until = Some(until);
    }

    /// How often something was to be brought to the chain.
    pub(crate) fn submitted(&self) -> usize {
        self.state.lock().unwrap().submitted
    }

    /// From now on what comes back pays somebody else.
    pub(crate) fn swap_payee(&self) {
        self.state.lock().unwrap().swaps_payee = true;
    }
}

#[async_trait]
impl Payer for FakePayer {
    async fn sign(&self, intent: PaymentIntent) -> Result<SignedIntent, PayError> {
        Ok(Signed::by(intent, &SigningKey::from_bytes(&[7; 32])).unwrap())
    }

    async fn submit(&self, intent: SignedIntent) -> Result<(), PayError> {
        let until = {
            let mut book = self.state.lock().unwrap();
            book.submitted += 1;
            book.exits_wait_until.filter(|until| intent.document.created_at < *until)
        };
        match (&intent.document.payment, until) {
            (
                Payment::MppExit(MppExit { channel: ExitChannel::V2 { descriptor }, .. }),
                Some(until),
            ) => {
                let channel = descriptor.channel_id(intent.document.payment.chain().id());
                let refusal = Refusal::ExitUnderWay { channel, until };
                let by = "agent".to_owned();
                Err(PayError::Refused { refusals: vec![RefusalBy { by, refusal }] })
            }
            _ => self.authorize(intent).await.map(drop),
        }
    }

    async fn report(&self, _: PaymentIntent, outcome: ReportKind) -> Result<(), PayError> {
        self.state.lock().unwrap().reports.push(outcome);
        Ok(())
    }

    async fn authorize(
        &self,
        intent: SignedIntent,
    ) -> Result<tercet::seam::Signed<FinishedPayment>, PayError> {
        let intent = intent.document;
        let mut book = self.state.lock().unwrap();
        if book.line_is_down {
            let detail = "nobody answers".to_owned();
            return Err(PayError::Failed { retryable: true, detail });
        }
        if book.needs_people {
            let ends = intent.expires_at;
            return Err(PayError::NeedsApproval { ends });
        }
        if let Some(policy) = &book.policy {
            judge(policy, &intent)?;
        }
        let name = name_of(&intent);
        let new = !book.nonces.contains(&name);
        if new && book.budget.is_some_and(|budget| book.nonces.len() >= budget) {
            let refusal = Refusal::NoPolicy { agent: intent.agent };
            let by = "operator".to_owned();
            return Err(PayError::Refused { refusals: vec![RefusalBy { by, refusal }] });
        }
        book.nonces.insert(name);
        book.signed += 1;
        book.intents.push(intent.clone());
        let payee = book.swaps_payee.then_some(Address::repeat_byte(0x66));
        // Another signature every time, as the threshold protocol makes them.
        let signature = WalletSignature::new([book.signed; 32], [1; 32], false).unwrap();
        let payment = finish(&intent, payee, signature);
        Ok(tercet::seam::Signed { payment, by: SigningWay::Presignature })
    }
}

#[async_trait]
impl VoucherSigner for FakePayer {
    async fn session_signer(&self, _: Address, salt: B256) -> Result<Address, PayError> {
        let gathering = self.state.lock().unwrap().gathering.clone();
        if let Some(gathering) = gathering {
            gathering.wait().await;
        }
        Ok(Address::from_slice(&salt[..20]))
    }

    async fn sign_voucher(&self, ask: VoucherAsk) -> Result<MppSignature, PayError> {
        self.state.lock().unwrap().vouchers.push(ask.cumulative.base_units());
        let channel = ask.channel.channel_id(ask.chain.id());
        let about = MppSigned::Voucher { channel, cumulative: ask.cumulative };
        Ok(mpp(ask.chain, about))
    }

    async fn sign_close(&self, ask: VoucherAsk) -> Result<MppSignature, PayError> {
        let channel = ask.channel.channel_id(ask.chain.id());
        Ok(mpp(ask.chain, MppSigned::Close { channel, cumulative: ask.cumulative }))
    }
}

fn judge(policy: &Policy, intent: &PaymentIntent) -> Result<(), PayError> {
    let (ledger, ask) = (Ledger::new(), Ask::of(intent).unwrap());
    let decision = decide(&[policy], &ask, &Facts::of(&ledger, intent.created_at));
    if decision.verdict == Verdict::Approve {
        return Ok(());
    }
    let (by, refusal) = ("operator".to_owned(), Refusal::Policy(decision));
    Err(PayError::Refused { refusals: vec![RefusalBy { by, refusal }] })
}

/// What typed data of MPP an intent is signed for; nothing for other intents.
fn typed(payment: &Payment) -> Option<MppSigned> {
    let id = payment.chain().id();
    match payment {
        Payment::MppProof(_) => Some(MppSigned::Proof),
        Payment::MppVoucher(v) => {
            Some(MppSigned::Voucher { channel: v.channel.channel_id(id), cumulative: v.cumulative })
        }
        Payment::MppClose(c) => {
            Some(MppSigned::Close { channel: c.channel.channel_id(id), cumulative: c.cumulative })
        }
        _ => None,
    }
}

fn mpp(chain: Chain, about: MppSigned) -> MppSignature {
    let signature = WalletSignature::new([9; 32], [1; 32], false).unwrap();
    MppSignature { chain, about, signature }
}

/// What names a payment for good.
fn name_of(intent: &PaymentIntent) -> B256 {
    match &intent.payment {
        Payment::X402Exact(x) => eip3009_nonce(x.chain, x.token, intent.wallet, &intent.id),
        Payment::MppCharge(charge) => charge_memo(charge),
        _ => B256::from(intent.id.0),
    }
}

fn finish(
    intent: &PaymentIntent,
    payee: Option<Address>,
    signature: WalletSignature,
) -> FinishedPayment {
    let chain = intent.payment.chain();
    let Payment::X402Exact(x) = &intent.payment else {
        if let Some(about) = typed(&intent.payment) {
            return FinishedPayment::Mpp(MppSignature { chain, about, signature });
        }
        let to = payee.or(intent.payment.payee()).unwrap_or_default();
        let splits = intent.payment.splits().iter().flat_map(|split| split.to.to_vec());
        let sponsored = intent.payment.tempo_terms().is_some_and(|t| t.fee_token.is_none());
        let kind = if sponsored { 0x78 } else { 0x76 };
        let call = top_up_call(&intent.payment, payee);
        let raw: Vec<u8> =
            [kind].into_iter().chain(name_of(intent)).chain(to).chain(splits).chain(call).collect();
        let opens = tempo_terms_of(intent).and_then(|terms| opened_channel(intent, &terms));
        let for_service = intent.payment.challenge().is_some();
        let (raw, hash) = (raw.into(), None);
        return FinishedPayment::Tempo(SignedTempoTransaction {
            chain,
            hash,
            raw,
            opens,
            for_service,
        });
    };
    FinishedPayment::X402(Eip3009Payment {
        chain: x.chain,
        token: x.token,
        signature,
        authorization: Authorization {
            from: intent.wallet,
            to: payee.unwrap_or(x.to),
            value: x.amount,
            valid_after: UnixSeconds(0),
            valid_before: x.valid_before,
            nonce: name_of(intent),
        },
    })
}

/// What a top-up calls; nothing for other payments.
fn top_up_call(payment: &Payment, payee: Option<Address>) -> Vec<u8> {
    let Payment::MppTopUp(asked) = payment else { return Vec::new() };
    let mut channel = asked.channel;
    channel.payee = payee.unwrap_or(channel.payee);
    let call = calls::top_up(&channel, asked.additional.try_into().unwrap());
    [call.to.to_vec(), call.input.to_vec()].concat()
}
