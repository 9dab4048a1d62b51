// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What is used of a TIP-20 token, which is a precompile of the chain.
interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function transferPolicyId() external view returns (uint64);
}

/// What is used of the TIP-403 registry.
interface IPolicies {
    function isAuthorizedSender(uint64 policyId, address user) external view returns (bool);
    function isAuthorizedRecipient(uint64 policyId, address user) external view returns (bool);
}

/// What is used of the TIP-1020 signature verifier.
interface IVerifier {
    function recover(bytes32 hash, bytes calldata signature) external view returns (address signer);
}

/// @title A channel reserve for tests
///
/// Stands where Tempo has the precompile of TIP-1034, on a node that knows only forks before it. To a payer and
/// to a payee it is the same: functions, events, errors, channel ids, EIP-712 domain, packed state (slot 0, keyed
/// by channel id), order of checks, the 900 seconds of grace, the rules of capture. Vouchers are judged by the
/// chain's own verifier, so that 64-byte and keychain signatures are refused here as they are there.
///
/// Two things a contract cannot see, and whoever broadcasts must have given it before (`tempo-node.mjs` does):
/// the hash of the enclosing transaction, in `enclosing[sender][keccak256(calldata)]`, without which `open`
/// refuses; and the implicit approval of TIP-1035, as a plain TIP-20 allowance.
///
/// Not reproduced, and no test may lean on it: gas (a precompile is cheaper), storage credits (TIP-1060) and
/// `storageCredits`, the payment lane, spending limits of access keys on deposits, virtual addresses (TIP-1022)
/// as payees, opens by a contract on behalf of somebody, and that `approve` to this address has no effect.
contract ChannelReserve {
    struct ChannelDescriptor {
        address payer;
        address payee;
        address operator;
        address token;
        bytes32 salt;
        address authorizedSigner;
        bytes32 expiringNonceHash;
    }

    struct ChannelState {
        uint96 settled;
        uint96 deposit;
        uint32 closeRequestedAt;
    }

    struct Channel {
        ChannelDescriptor descriptor;
        ChannelState state;
    }

    event ChannelOpened(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        address operator,
        address token,
        address authorizedSigner,
        bytes32 salt,
        bytes32 expiringNonceHash,
        uint96 deposit
    );
    event Settled(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        uint96 cumulativeAmount,
        uint96 deltaPaid,
        uint96 newSettled
    );
    event TopUp(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        uint96 additionalDeposit,
        uint96 newDeposit
    );
    event CloseRequested(
        bytes32 indexed channelId, address indexed payer, address indexed payee, uint256 closeGraceEnd
    );
    event ChannelClosed(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        uint96 settledToPayee,
        uint96 refundedToPayer
    );
    event CloseRequestCancelled(bytes32 indexed channelId, address indexed payer, address indexed payee);

    error ChannelAlreadyExists();
    error ChannelNotFound();
    error NotPayer();
    error NotPayeeOrOperator();
    error InvalidPayee();
    error InvalidToken();
    error ZeroDeposit();
    error ExpiringNonceHashNotSet();
    error InvalidSignature();
    error AmountExceedsDeposit();
    error AmountNotIncreasing();
    error CaptureAmountInvalid();
    error CloseNotReady();
    error DepositOverflow();
    /// Of TIP-20: a transfer policy of the token forbids the logical payment.
    error PolicyForbids();

    uint64 public constant CLOSE_GRACE_PERIOD = 900;
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint96 cumulativeAmount)");

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME_HASH = keccak256("TIP20 Channel Reserve");
    bytes32 private constant VERSION_HASH = keccak256("1");
    /// The first 12 bytes of every TIP-20 token.
    bytes12 private constant TOKEN_PREFIX = 0x20c000000000000000000000;
    IPolicies private constant POLICIES = IPolicies(0x403c000000000000000000000000000000000000);
    IVerifier private constant VERIFIER = IVerifier(0x5165300000000000000000000000000000000000);

    /// Slot 0. A deposit of zero says that the channel is closed or never was.
    mapping(bytes32 => ChannelState) private _states;
    /// Slot 1. Of a sender and the hash of a call's data: the `expiringNonceHash` of the transaction around it.
    mapping(address => mapping(bytes32 => bytes32)) private _enclosing;

    function open(
        address payee,
        address operator,
        address token,
        uint96 deposit,
        bytes32 salt,
        address authorizedSigner
    ) external returns (bytes32 channelId) {
        if (payee == address(0) || _isToken(payee)) revert InvalidPayee();
        if (!_isToken(token)) revert InvalidToken();
        if (deposit == 0) revert ZeroDeposit();
        bytes32 context = _enclosing[msg.sender][keccak256(msg.data)];
        if (context == 0) revert ExpiringNonceHashNotSet();
        channelId = computeChannelId(msg.sender, payee, operator, token, salt, authorizedSigner, context);
        if (_states[channelId].deposit != 0 || _openedInThisTransaction(channelId)) revert ChannelAlreadyExists();

        _reserve(token, payee, deposit);
        _states[channelId].deposit = deposit;
        emit ChannelOpened(
            channelId, msg.sender, payee, operator, token, authorizedSigner, salt, context, deposit
        );
    }

    function settle(ChannelDescriptor calldata descriptor, uint96 cumulativeAmount, bytes calldata signature)
        external
    {
        (bytes32 channelId, ChannelState memory state) = _existing(descriptor);
        _requirePayeeSide(descriptor);
        if (cumulativeAmount > state.deposit) revert AmountExceedsDeposit();
        if (cumulativeAmount <= state.settled) revert AmountNotIncreasing();
        _requireVoucher(descriptor, channelId, cumulativeAmount, signature);

        uint96 delta = cumulativeAmount - state.settled;
        _states[channelId].settled = cumulativeAmount;
        _payPayee(descriptor, delta);
        emit Settled(
            channelId, descriptor.payer, descriptor.payee, cumulativeAmount, delta, cumulativeAmount
        );
    }

    function topUp(ChannelDescriptor calldata descriptor, uint96 additionalDeposit) external {
        (bytes32 channelId, ChannelState memory state) = _existing(descriptor);
        _requirePayer(descriptor);
        bool closing = state.closeRequestedAt != 0;
        if (additionalDeposit == 0 && !closing) return;

        if (additionalDeposit > type(uint96).max - state.deposit) revert DepositOverflow();
        uint96 deposit = state.deposit + additionalDeposit;
        if (additionalDeposit != 0) _reserve(descriptor.token, descriptor.payee, additionalDeposit);
        _states[channelId].deposit = deposit;
        if (closing) {
            _states[channelId].closeRequestedAt = 0;
            emit CloseRequestCancelled(channelId, descriptor.payer, descriptor.payee);
        }
        emit TopUp(channelId, descriptor.payer, descriptor.payee, additionalDeposit, deposit);
    }

    function requestClose(ChannelDescriptor calldata descriptor) external {
        (bytes32 channelId, ChannelState memory state) = _existing(descriptor);
        _requirePayer(descriptor);
        if (state.closeRequestedAt != 0) return;

        _states[channelId].closeRequestedAt = uint32(block.timestamp);
        emit CloseRequested(
            channelId, descriptor.payer, descriptor.payee, block.timestamp + CLOSE_GRACE_PERIOD
        );
    }

    function close(
        ChannelDescriptor calldata descriptor,
        uint96 cumulativeAmount,
        uint96 captureAmount,
        bytes calldata signature
    ) external {
        (bytes32 channelId, ChannelState memory state) = _existing(descriptor);
        _requirePayeeSide(descriptor);
        if (captureAmount < state.settled || captureAmount > cumulativeAmount) revert CaptureAmountInvalid();
        if (captureAmount > state.deposit) revert AmountExceedsDeposit();
        // A capture of no more than was settled needs no voucher, and may bring an invalid one.
        if (captureAmount > state.settled) _requireVoucher(descriptor, channelId, cumulativeAmount, signature);

        uint96 refund = state.deposit - captureAmount;
        delete _states[channelId];
        if (captureAmount > state.settled) _payPayee(descriptor, captureAmount - state.settled);
        if (refund != 0) _pay(descriptor.token, descriptor.payer, refund);
        emit ChannelClosed(channelId, descriptor.payer, descriptor.payee, captureAmount, refund);
    }

    function withdraw(ChannelDescriptor calldata descriptor) external {
        (bytes32 channelId, ChannelState memory state) = _existing(descriptor);
        _requirePayer(descriptor);
        bool ready = state.closeRequestedAt != 0
            && block.timestamp >= uint256(state.closeRequestedAt) + CLOSE_GRACE_PERIOD;
        if (!ready) revert CloseNotReady();

        uint96 refund = state.deposit - state.settled;
        delete _states[channelId];
        if (refund != 0) _pay(descriptor.token, descriptor.payer, refund);
        emit ChannelClosed(channelId, descriptor.payer, descriptor.payee, state.settled, refund);
    }

    function getChannel(ChannelDescriptor calldata descriptor) external view returns (Channel memory) {
        return Channel(descriptor, _states[_id(descriptor)]);
    }

    function getChannelState(bytes32 channelId) external view returns (ChannelState memory) {
        return _states[channelId];
    }

    function getChannelStatesBatch(bytes32[] calldata channelIds)
        external
        view
        returns (ChannelState[] memory states)
    {
        states = new ChannelState[](channelIds.length);
        for (uint256 i = 0; i < channelIds.length; i++) {
            states[i] = _states[channelIds[i]];
        }
    }

    function computeChannelId(
        address payer,
        address payee,
        address operator,
        address token,
        bytes32 salt,
        address authorizedSigner,
        bytes32 expiringNonceHash
    ) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                payer,
                payee,
                operator,
                token,
                salt,
                authorizedSigner,
                expiringNonceHash,
                address(this),
                block.chainid
            )
        );
    }

    function getVoucherDigest(bytes32 channelId, uint96 cumulativeAmount) public view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, cumulativeAmount));
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), structHash));
    }

    function domainSeparator() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
    }

    function _id(ChannelDescriptor calldata d) private view returns (bytes32) {
        return computeChannelId(
            d.payer, d.payee, d.operator, d.token, d.salt, d.authorizedSigner, d.expiringNonceHash
        );
    }

    function _existing(ChannelDescriptor calldata descriptor)
        private
        view
        returns (bytes32 channelId, ChannelState memory state)
    {
        channelId = _id(descriptor);
        state = _states[channelId];
        if (state.deposit == 0) revert ChannelNotFound();
    }

    function _requirePayer(ChannelDescriptor calldata descriptor) private view {
        if (msg.sender != descriptor.payer) revert NotPayer();
    }

    function _requirePayeeSide(ChannelDescriptor calldata descriptor) private view {
        bool operator = descriptor.operator != address(0) && msg.sender == descriptor.operator;
        if (msg.sender != descriptor.payee && !operator) revert NotPayeeOrOperator();
    }

    function _requireVoucher(
        ChannelDescriptor calldata descriptor,
        bytes32 channelId,
        uint96 cumulativeAmount,
        bytes calldata signature
    ) private view {
        address expected = descriptor.authorizedSigner;
        if (expected == address(0)) expected = descriptor.payer;
        try VERIFIER.recover(getVoucherDigest(channelId, cumulativeAmount), signature) returns (address signer) {
            if (signer != expected) revert InvalidSignature();
        } catch {
            revert InvalidSignature();
        }
    }

    /// Says whether the channel was opened by an earlier call of this transaction, and remembers it for later ones.
    function _openedInThisTransaction(bytes32 channelId) private returns (bool opened) {
        assembly ("memory-safe") {
            opened := tload(channelId)
            tstore(channelId, 1)
        }
    }

    function _reserve(address token, address payee, uint96 amount) private {
        if (!POLICIES.isAuthorizedRecipient(IToken(token).transferPolicyId(), payee)) revert PolicyForbids();
        require(IToken(token).transferFrom(msg.sender, address(this), amount));
    }

    /// The chain sees a payment from the reserve; the token's policy must allow the one from the payer.
    function _payPayee(ChannelDescriptor calldata descriptor, uint96 amount) private {
        IToken token = IToken(descriptor.token);
        if (!POLICIES.isAuthorizedSender(token.transferPolicyId(), descriptor.payer)) revert PolicyForbids();
        _pay(descriptor.token, descriptor.payee, amount);
    }

    function _pay(address token, address to, uint96 amount) private {
        require(IToken(token).transfer(to, amount));
    }

    function _isToken(address account) private pure returns (bool) {
        return bytes12(bytes20(account)) == TOKEN_PREFIX;
    }
}
