// Bank transaction: a teller asks accounts to transfer money to others. An account deducts the sum, sends it on and waits until it has
// arrived before it takes the next order. While it waits it still accepts money: two accounts that pay each other do not deadlock.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kAccounts = 1'000;
constexpr long kInitialBalance = 1'000'000;

struct Transfer {
  weft::Pid to;
  long amount;
};
struct Deposit {
  weft::Pid from;
  long amount;
};
struct Deposited {};
struct TransferDone {};
struct Close {};
struct Balance {
  int account;
  long amount;
};

void account(int number, weft::Pid teller) {
  long balance = kInitialBalance;
  const auto accept = [&](Deposit deposit) {
    balance += deposit.amount;
    weft::send(deposit.from, Deposited{});
  };
  for (bool open = true; open;) {
    weft::receive(
        [&](Transfer transfer) {
          balance -= transfer.amount;
          weft::send(transfer.to, Deposit{weft::self(), transfer.amount});
          for (bool arrived = false; !arrived;) weft::receive(accept, [&](Deposited) { arrived = true; });
          weft::send(teller, TransferDone{});
        },
        accept, [&](Close) { open = false; });
  }
  weft::send(teller, Balance{number, balance});
}

struct Order {
  int from, to;
  long amount;
};

class BankTransaction : public Program {
 public:
  explicit BankTransaction(Scale scale) {
    Random random(123'456);
    for (int i = scale.of(50'000); i > 0; --i) {
      const int from = random.below(kAccounts);
      const int to = (from + 1 + random.below(kAccounts - 1)) % kAccounts;
      orders_.push_back({from, to, random.below(1'000) + 1});
    }
  }

  void run() override {
    std::vector<weft::Pid> accounts;
    for (int i = 0; i < kAccounts; ++i) accounts.push_back(weft::spawn_link(account, i, weft::self()));
    for (const Order& order : orders_) weft::send(accounts[order.from], Transfer{accounts[order.to], order.amount});
    for (std::size_t i = 0; i < orders_.size(); ++i) weft::receive<TransferDone>();

    for (const weft::Pid pid : accounts) weft::send(pid, Close{});
    for (int i = 0; i < kAccounts; ++i) balances_.push_back(weft::receive<Balance>());
  }

  void check() const override {
    std::vector<long> expected(kAccounts, kInitialBalance);
    for (const Order& order : orders_) {
      expected[order.from] -= order.amount;
      expected[order.to] += order.amount;
    }
    require_equal<std::size_t>("accounts closed", balances_.size(), kAccounts);
    for (const Balance& balance : balances_) require_equal("balance of an account", balance.amount, expected[balance.account]);
  }

 private:
  std::vector<Order> orders_;
  std::vector<Balance> balances_;
};

const Registered<BankTransaction> registered("bank_transaction", "1,000 accounts, 50,000 transfers");

}  // namespace
}  // namespace savina
