//! The part of USDC's interface that evidence needs (circlefin/stablecoin-evm, `FiatTokenV2_2`).

alloy_sol_types::sol! {
    #[allow(missing_docs, reason = "the names are the contract's")]
    interface Usdc {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
        event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

        function balanceOf(address account) external view returns (uint256);
        function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
    }
}
