// What the kernel says about cgroups: an input is proc/self/cgroup, proc/self/mountinfo and cpu.max, separated by zero bytes. Whatever
// they hold, there is at least one core, and nothing outside the folder decides.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "scheduler/topology.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;

/// A folder that looks like / and goes away with the program.
class Root {
 public:
  Root() {
    std::string pattern = (fs::temp_directory_path() / "weft_fuzz_XXXXXX").string();
    weft::fuzz::require(::mkdtemp(pattern.data()) != nullptr, "there is a folder for temporary files");
    path_ = pattern;
    fs::create_directories(path_ / "proc/self");
    fs::create_directories(path_ / "sys/fs/cgroup/a");
  }
  ~Root() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  const fs::path& path() const { return path_; }
  void write(const char* file, std::string_view content) const { std::ofstream(path_ / file, std::ios::binary) << content; }

 private:
  fs::path path_;
};

std::string_view take_part(std::string_view& text) {
  const std::size_t end = text.find('\0');
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Root root;
  std::string_view text = weft::fuzz::as_text(data, size);
  root.write("proc/self/cgroup", take_part(text));
  root.write("proc/self/mountinfo", take_part(text));
  root.write("sys/fs/cgroup/a/cpu.max", text);
  weft::fuzz::require(weft::scheduler::cgroup_core_limit(root.path()) >= 1, "there is at least one core");
  return 0;
}
