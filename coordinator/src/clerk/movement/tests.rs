use alloy_primitives::{Address, B256, Log, LogData, U256, keccak256};
use tercet_chain::ReceiptLog;
use tercet_policy::chain::Chain;
use tercet_policy::time::UnixSeconds;

use super::*;

const TOKEN: Address = Address::repeat_byte(1);
const WALLET: Address = Address::repeat_byte(2);
const PAYEE: Address = Address::repeat_byte(3);

fn wish() -> MovementWish {
    MovementWish {
        chain: Chain::Base,
        token: TOKEN,
        wallet: WALLET,
        to: PAYEE,
        at_most: Amount::from_base_units(100),
        transaction: B256::repeat_byte(9),
        since: UnixSeconds(0),
    }
}

fn moved(index: u64, token: Address, from: Address, to: Address, value: u64) -> ReceiptLog {
    let topics =
        vec![keccak256("Transfer(address,address,uint256)"), from.into_word(), to.into_word()];
    let data = U256::from(value).to_be_bytes::<32>().to_vec().into();
    ReceiptLog { index, log: Log { address: token, data: LogData::new_unchecked(topics, data) } }
}

fn receipt(logs: Vec<ReceiptLog>) -> Receipt {
    Receipt {
        tx: B256::repeat_byte(9),
        block_number: 7,
        block_hash: B256::repeat_byte(8),
        from: Address::repeat_byte(4),
        succeeded: true,
        logs,
    }
}

#[test]
fn what_fits_is_shown_in_order() {
    let shown = shown(
        &receipt(vec![
            moved(0, TOKEN, WALLET, PAYEE, 101),
            moved(1, TOKEN, WALLET, PAYEE, 100),
            moved(2, TOKEN, WALLET, PAYEE, 3),
        ]),
        &wish(),
        true,
    );
    let amount = Amount::from_base_units;
    let transfers = vec![
        Moved { log_index: 1, amount: amount(100) },
        Moved { log_index: 2, amount: amount(3) },
    ];
    assert_eq!(shown, Movement::Shown { transfers, block: 7, safe: true });
}

#[test]
fn another_payer_payee_token_amount_or_a_failure_is_not_it() {
    let other = Address::repeat_byte(5);
    let mut failed = receipt(vec![moved(0, TOKEN, WALLET, PAYEE, 1)]);
    failed.succeeded = false;
    for (receipt, said) in [
        (receipt(vec![moved(0, TOKEN, other, PAYEE, 1)]), "base units from"),
        (receipt(vec![moved(0, TOKEN, WALLET, other, 1)]), "base units from"),
        (receipt(vec![moved(0, other, WALLET, PAYEE, 1)]), "none of the token"),
        (receipt(vec![moved(0, TOKEN, WALLET, PAYEE, 101)]), "moves 101 base units"),
        (receipt(vec![moved(0, TOKEN, WALLET, PAYEE, 0)]), "moves 0 base units"),
        (failed, "failed"),
    ] {
        match shown(&receipt, &wish(), false) {
            Movement::Other { reason, safe: false } => assert!(reason.contains(said), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
