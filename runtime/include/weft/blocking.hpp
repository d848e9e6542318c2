// Calls that block a thread, kept away from the workers.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft::inline v0 {

namespace detail {

/// One section on its way through the pool. Shared by the process and the pool thread.
class BlockingWork {
 public:
  BlockingWork() = default;
  BlockingWork(const BlockingWork&) = delete;
  BlockingWork& operator=(const BlockingWork&) = delete;
  virtual ~BlockingWork() = default;
  virtual void run() noexcept = 0;
};
/// Suspends the calling process until the pool ran `work`.
void run_blocking(const std::shared_ptr<BlockingWork>& work);

}  // namespace detail

/// Runs `f` on a thread of the runtime's blocking pool while the process is suspended, and gives its result, or throws what it threw.
///
/// Inside, self() is the caller and what does not suspend works; what would suspend throws NotInProcess. A kill takes effect for all
/// others at once (BLK-2); the process's stack, which `f` may refer to, is unwound when `f` returns (BLK-6), and what `f` sends from
/// then on is dropped (BLK-4). Errors: NotInProcess; LimitExceeded when the system gives no thread at all.
template <class F>
auto blocking(F f) -> std::invoke_result_t<F> {
  using R = std::invoke_result_t<F>;
  struct Work final : detail::BlockingWork {
    explicit Work(F g) : function(std::move(g)) {}
    void run() noexcept override {
      try {
        if constexpr (std::is_void_v<R>) {
          function();
        } else {
          result.emplace(function());
        }
      } catch (...) {
        error = std::current_exception();
      }
    }
    F function;
    std::conditional_t<std::is_void_v<R>, bool, std::optional<R>> result{};
    std::exception_ptr error;
  };
  const auto work = std::make_shared<Work>(std::move(f));
  detail::run_blocking(work);
  if (work->error) std::rethrow_exception(std::exchange(work->error, nullptr));
  if constexpr (!std::is_void_v<R>) return std::move(*work->result);
}

}  // namespace weft
