// SEMANTICS.md section 25, CPP-14: what breaks isolation and can be told does not compile.
#include <functional>
#include <mutex>
#include <span>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

// Values that own what they hold.
static_assert(Sendable<int> && Sendable<std::string> && Sendable<std::vector<std::string>> && Sendable<std::unique_ptr<int>>);
static_assert(Sendable<Pid> && Sendable<MonitorRef> && Sendable<TimerRef> && Sendable<Alias> && Sendable<Atom> && Sendable<From>);
static_assert(Sendable<ExitReason> && Sendable<Exit> && Sendable<Down> && Sendable<Timeout>);
static_assert(Sendable<StreamReader> && Sendable<JoinHandle>);
static_assert(Sendable<void (*)(int)>, "a function is never freed");
static_assert(Sendable<std::function<void()>>);

// Windows into somebody else's memory.
static_assert(!Sendable<int&> && !Sendable<const std::string&> && !Sendable<int&&>);
static_assert(!Sendable<std::string_view> && !Sendable<std::wstring_view>);
static_assert(!Sendable<std::span<int>> && !Sendable<std::span<const std::byte>> && !Sendable<std::span<int, 4>>);
static_assert(!Sendable<int*> && !Sendable<const char*> && !Sendable<void*> && !Sendable<std::unique_ptr<int>*>);

// What cannot be moved into a mailbox, or could throw when a mailbox is emptied.
struct ThrowingDestructor {
  ~ThrowingDestructor() noexcept(false) {}
};
static_assert(!Sendable<std::mutex> && !Sendable<ThrowingDestructor> && !Sendable<void>);

// The way round.
static_assert(Sendable<unchecked<int*>> && Sendable<unchecked<std::string_view>> && Sendable<unchecked<std::span<int>>>);

// A closure does not show what it captures: a reference in it cannot be told, and is the author's to avoid.
inline constexpr auto make_closure = [](int& captured) { return [&captured] { ++captured; }; };
static_assert(Sendable<decltype(make_closure(std::declval<int&>()))>);

class SendableTypes : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, SendableTypes, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(SendableTypes, Cpp14UncheckedCarriesWhatIsOtherwiseRefused) {
  int target = 0;
  run([&] {
    const Pid child = spawn([test = self()] {
      *receive<unchecked<int*>>().value = 7;
      send(test, Pong{});
    });
    send(child, unchecked<int*>{&target});
    await<Pong>();
  });
  EXPECT_EQ(target, 7);
}

TEST_P(SendableTypes, Snd6AMessageIsMovedNotShared) {
  run([&] {
    auto box = std::make_unique<int>(7);
    const int* address = box.get();
    send(self(), std::move(box));
    EXPECT_EQ(box, nullptr);
    EXPECT_EQ(await<std::unique_ptr<int>>().get(), address);
  });
}

TEST_P(SendableTypes, Snd6AnLvalueIsCopied) {
  run([&] {
    std::string text = "before";
    send(self(), text);
    text = "after";
    EXPECT_EQ(await<std::string>(), "before");
  });
}

}  // namespace
}  // namespace weft::test
