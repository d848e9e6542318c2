// Files through the blocking pool.
#include <weft/file.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <weft/weft.hpp>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

static_assert(Sendable<File>);

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read_text(const File& file, std::uint64_t offset, std::size_t size) {
  std::string text(size, '\0');
  text.resize(file.read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

template <class F>
int file_error(F f) {
  try {
    f();
  } catch (const FileError& error) {
    return error.code();
  }
  ADD_FAILURE() << "no FileError";
  return 0;
}

class Files : public RuntimeTest {
 protected:
  Files() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~Files() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
  }

 private:
  std::string folder_ = ::testing::TempDir() + "weft_file_XXXXXX";
};

INSTANTIATE_TEST_SUITE_P(Workers, Files, worker_counts());

TEST_P(Files, AreReadAndWrittenAtAnyPlace) {
  run([this] {
    File file = File::open(path("f"), FileMode::create_new);
    file.write_at(3, bytes("defg"));
    file.write_at(0, bytes("abc"));
    file.sync();
    EXPECT_EQ(file.size_bytes(), 7u);
    EXPECT_EQ(read_text(file, 2, 3), "cde");
    EXPECT_EQ(read_text(file, 5, 100), "fg");
    EXPECT_EQ(read_text(file, 7, 100), "");
    EXPECT_EQ(file.read_at(0, {}), 0u);
    const File again = File::open(path("f"));
    EXPECT_EQ(read_text(again, 0, 100), "abcdefg");
  });
}

TEST_P(Files, OpenAsTheModeSays) {
  run([this] {
    EXPECT_EQ(file_error([this] { File::open(path("f")); }), ENOENT);
    File::open(path("f"), FileMode::write).write_at(0, bytes("abc"));
    EXPECT_EQ(file_error([this] { File::open(path("f"), FileMode::create_new); }), EEXIST);
    EXPECT_EQ(File::open(path("f"), FileMode::write).size_bytes(), 3u);
    EXPECT_EQ(file_error([this] { File::open(path("f")).write_at(0, bytes("x")); }), EBADF);
    EXPECT_EQ(File::open(path("f"), FileMode::truncate).size_bytes(), 0u);
  });
}

TEST_P(Files, ErrorsNameCallAndPath) {
  run([this] {
    try {
      File::open(path("missing"));
      ADD_FAILURE() << "not thrown";
    } catch (const FileError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("File::open() of " + path("missing") + ": No such file"), std::string::npos) << text;
    }
    EXPECT_EQ(file_error([this] { static_cast<void>(read_file(path("missing"))); }), ENOENT);
    EXPECT_EQ(file_error([this] { write_file(path("no/such/folder"), "x"); }), ENOENT);
    EXPECT_THROW(File::open(""), BadArgument);
    EXPECT_THROW(File::open(std::string_view("a\0b", 3)), BadArgument);
    File file = File::open(path("f"), FileMode::write);
    file.close();
    file.close();
    EXPECT_EQ(file.fd(), -1);
    EXPECT_EQ(file_error([&file] { static_cast<void>(file.size_bytes()); }), EBADF);
  });
  EXPECT_THROW(File::open(path("f")), NotInProcess);
  EXPECT_THROW(write_file(path("f"), "x"), NotInProcess);
}

TEST_P(Files, WholeFilesAreReplacedAtOnceAndReadBack) {
  run([this] {
    const std::string large(3u << 20, 'x');
    write_file(path("f"), "old");
    ASSERT_EQ(::chmod(path("f").c_str(), 0640), 0);
    const File before = File::open(path("f"));
    write_file(path("f"), large);
    EXPECT_TRUE(read_file(path("f")) == large);
    EXPECT_EQ(read_text(before, 0, 10), "old");  // Who had it open still has what was there.
    struct stat status {};
    ASSERT_EQ(::stat(path("f").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777u, 0640u);
    write_file(path("f"), "");
    EXPECT_EQ(read_file(path("f")), "");
    EXPECT_EQ(file_error([this] { write_file(path("."), "x"); }) != 0, true);
    EXPECT_EQ(files(), 1u);  // Nothing is left beside it, whether it went well or not.
  });
}

TEST_P(Files, AWholeFileIsBoundedAndItsSizeIsNotTrusted) {
  run([this] {
    write_file(path("f"), "12345");
    EXPECT_EQ(read_file(path("f"), 5), "12345");
    EXPECT_EQ(file_error([this] { static_cast<void>(read_file(path("f"), 4)); }), EFBIG);
    EXPECT_EQ(read_file(path("f"), static_cast<std::size_t>(-1)), "12345");
    EXPECT_FALSE(read_file("/proc/self/status").empty());  // Whose size is 0.
    EXPECT_EQ(file_error([] { static_cast<void>(read_file("/proc/self/status", 10)); }), EFBIG);
    EXPECT_EQ(file_error([] { static_cast<void>(read_file("/dev/zero", 100'000)); }), EFBIG);
  });
}

TEST_P(Files, AFileTravelsInAMessageAndIsClosedOnce) {
  run([this] {
    File file = File::open(path("f"), FileMode::write);
    const int fd = file.fd();
    const Monitored other = spawn_monitor([] { await<File>().write_at(0, bytes("from the other")); });
    send(other.pid, std::move(file));
    EXPECT_EQ(await<Down>().reason, ExitReason::normal);
    EXPECT_LT(::fcntl(fd, F_GETFD), 0);
    EXPECT_EQ(read_file(path("f")), "from the other");
  });
}

TEST_P(Files, AProcessKilledWhileItOpensLeavesNoDescriptor) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::signal(SIGPIPE, SIG_IGN);
  run([this] {
    const Monitored opener = spawn_monitor([this] { File::open(path("pipe")); });  // Waits until somebody opens the other end.
    while (rt.info(opener.pid)->status != ProcessStatus::waiting) sleep_for(100us);
    kill(opener.pid);
    EXPECT_EQ(await<Down>().reason, ExitReason::killed);
    int writer = -1;
    for (int n = 0; (writer = ::open(path("pipe").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && n < 30'000; ++n) sleep_for(1ms);
    ASSERT_GE(writer, 0) << "the opener is not inside its open()";
    // When the last reader is gone, whoever writes is told.
    for (int n = 0; ::write(writer, "x", 1) == 1 && n < 30'000; ++n) sleep_for(1ms);
    EXPECT_EQ(::write(writer, "x", 1), -1);
    ::close(writer);
  });
  std::signal(SIGPIPE, SIG_DFL);
}

TEST_P(Files, ManyProcessesReadWhileOthersRun) {
  run([this] {
    const std::string content(100'000, 'c');
    write_file(path("f"), content);
    for (int i = 0; i < 20; ++i) {
      spawn_monitor([this, &content] {
        for (int n = 0; n < 10; ++n) EXPECT_TRUE(read_file(path("f")) == content);
      });
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(await<Down>().reason, ExitReason::normal);
  });
}

}  // namespace
}  // namespace weft::test
