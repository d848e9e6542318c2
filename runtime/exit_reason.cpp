#include <weft/exit_reason.hpp>

#include <memory>

namespace weft::inline v0 {
namespace {

// Built at first use and never destroyed: reasons are compared in destructors of static objects too.
const detail::ReasonData& constant(Atom kind) {
  struct Constants {
    const detail::ReasonData* of[7];
    Constants() {
      for (std::uint32_t id = 0; id < 7; ++id) {
        auto* data = new detail::ReasonData(Atom::from_id(id));
        data->immortal = true;
        of[id] = data;
      }
    }
  };
  static const Constants& constants = *new Constants;
  return *constants.of[kind.id()];
}

}  // namespace

const ExitReason ExitReason::normal{&constant(detail::atoms::normal)};
const ExitReason ExitReason::shutdown{&constant(detail::atoms::shutdown)};
const ExitReason ExitReason::kill{&constant(detail::atoms::kill)};
const ExitReason ExitReason::killed{&constant(detail::atoms::killed)};
const ExitReason ExitReason::noproc{&constant(detail::atoms::noproc)};
const ExitReason ExitReason::timeout{&constant(detail::atoms::timeout)};
const ExitReason ExitReason::noconnection{&constant(detail::atoms::noconnection)};

const detail::ReasonData* ExitReason::normal_data() noexcept {
  static const detail::ReasonData* const data = &constant(detail::atoms::normal);
  return data;
}

ExitReason::ExitReason() noexcept : data_(normal_data()) {}

ExitReason ExitReason::error(std::string type, std::string what) {
  auto data = std::make_unique<detail::ReasonData>(detail::atoms::error);
  data->type = std::move(type);
  data->text = std::move(what);
  return ExitReason(data.release());
}

ExitReason ExitReason::uncaught(std::string type) {
  auto data = std::make_unique<detail::ReasonData>(detail::atoms::nocatch);
  data->text = "uncaught throw of " + type;
  data->type = std::move(type);
  return ExitReason(data.release());
}

ExitReason ExitReason::of(Atom kind) {
  if (kind.id() < 7) return ExitReason(&constant(kind));
  return ExitReason(new detail::ReasonData(kind));
}

std::string_view ExitReason::what() const noexcept { return data_->text; }

std::string ExitReason::to_string() const {
  std::string made(data_->kind.text());
  if (!data_->type.empty()) made += " " + data_->type;
  if (!data_->text.empty()) made += ": " + data_->text;
  return made;
}

bool operator==(const ExitReason& a, const ExitReason& b) {
  if (a.data_ == b.data_) return true;
  return a.data_->kind == b.data_->kind && a.data_->type == b.data_->type && a.data_->text == b.data_->text &&
         a.data_->same_payload(*b.data_);
}

}  // namespace weft
