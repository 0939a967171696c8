// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Tokens that behave as some real ones do, for tests on private chains: each differs from TestToken in one habit.
contract PlainToken {
    string public name;
    string public symbol;
    uint8 public decimals;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory name_, string memory symbol_, uint8 decimals_) {
        (name, symbol, decimals) = (name_, symbol_, decimals_);
    }

    /// Anybody may mint: it is worth nothing.
    function mint(address to, uint256 amount) external {
        totalSupply += amount;
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function take(address from, address to, uint256 amount) internal {
        require(balanceOf[from] >= amount, "balance too small");
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// `transfer` returns nothing, as Tether's own does on Ethereum; its digits are given when it is deployed.
contract NoReturnToken is PlainToken {
    constructor(uint8 decimals_) PlainToken("No return", "NORET", decimals_) {}

    function transfer(address to, uint256 amount) external {
        take(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
    }
}

/// A tenth of each transfer goes to the collector. Its log tells the whole amount, as the worst of them do.
contract FeeToken is PlainToken {
    address public immutable collector;

    constructor(uint8 decimals_) PlainToken("Keeps a fee", "FEE", decimals_) {
        collector = msg.sender;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        uint256 fee = amount / 10;
        take(msg.sender, to, amount - fee);
        take(msg.sender, collector, fee);
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}

/// Tether's name, symbol and digits, and whatever log its owner likes: for what never moved, and of nothing at all.
contract FakeTether is PlainToken {
    constructor() PlainToken("Tether USD", "USDT", 6) {}

    function transfer(address to, uint256 amount) external returns (bool) {
        take(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
        return true;
    }

    /// A log without a coin behind it.
    function pretend(address from, address to, uint256 amount) external {
        emit Transfer(from, to, amount);
    }

    /// Log first, then take everything back: a failed transaction.
    function pretendAndFail(address from, address to, uint256 amount) external {
        emit Transfer(from, to, amount);
        require(false, "never happened");
    }
}

/// Says false instead of failing, as some early tokens do, once its owner has shut it: the call succeeds and moves nothing.
contract FalseToken is PlainToken {
    bool public shut;

    constructor() PlainToken("Says false", "FALSE", 6) {}

    function shutDown(bool shut_) external {
        shut = shut_;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (shut) return false;
        take(msg.sender, to, amount);
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}
