#include <weft/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <weft/blocking.hpp>

namespace weft::inline v0 {

namespace {

// What follows up to the next line of its kind runs on threads of the pool, which keep their errno to themselves. Results below zero are
// -errno.

template <class F>
auto repeat(F system_call) -> decltype(system_call()) {
  for (;;) {
    const auto result = system_call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

std::int64_t read_all(int fd, std::uint64_t offset, std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::int64_t got =
        repeat([&] { return ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done)); });
    if (got < 0) return got;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(done);
}

int write_all(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::int64_t written = repeat([&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (written < 0) return static_cast<int>(written);
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

int open_file(const std::string& path, int flags) {
  return repeat([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
}

std::int64_t size_of(int fd) {
  struct stat status {};
  const int result = repeat([&] { return ::fstat(fd, &status); });
  return result < 0 ? result : static_cast<std::int64_t>(status.st_size);
}

struct Descriptor {
  explicit Descriptor(int number) noexcept : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

/// Not by its size alone: a file of /proc says 0, and any file may grow meanwhile.
int read_whole(const std::string& path, std::size_t max_bytes, std::string& content) {
  const Descriptor file(open_file(path, O_RDONLY));
  if (file.fd < 0) return file.fd;
  const std::int64_t size = size_of(file.fd);
  if (size < 0) return static_cast<int>(size);
  if (static_cast<std::uint64_t>(size) > max_bytes) return -EFBIG;
  max_bytes = std::min(max_bytes, content.max_size() - 1);
  constexpr std::size_t kLeast = 4096;
  for (std::size_t wanted = static_cast<std::size_t>(size) + 1;; wanted = std::max(2 * wanted, kLeast)) {
    wanted = std::min(wanted, max_bytes + 1);
    const std::size_t done = content.size();
    content.resize(wanted);
    const std::int64_t got = read_all(file.fd, done, std::as_writable_bytes(std::span(content)).subspan(done));
    if (got < 0) return static_cast<int>(got);
    content.resize(done + static_cast<std::size_t>(got));
    if (content.size() > max_bytes) return -EFBIG;
    if (content.size() < wanted) return 0;
  }
}

/// Makes a file beside `path`, with the permissions that open() gives, and writes its name to `beside`.
int make_beside(const std::string& path, std::string& beside) {
  static std::atomic<unsigned> number{0};
  for (;;) {
    beside = path + "." + std::to_string(::getpid()) + "." + std::to_string(number.fetch_add(1, std::memory_order_relaxed)) + ".new";
    const int fd = open_file(beside, O_WRONLY | O_CREAT | O_EXCL);
    if (fd != -EEXIST) return fd;  // Else: left over from a program that ended in the middle, and had our number.
  }
}

int replace(const std::string& path, std::span<const std::byte> bytes) {
  std::string beside;
  const Descriptor file(make_beside(path, beside));
  if (file.fd < 0) return file.fd;
  struct stat old {};
  int error = ::stat(path.c_str(), &old) == 0 ? repeat([&] { return ::fchmod(file.fd, old.st_mode & 07777); }) : 0;
  if (error == 0) error = write_all(file.fd, 0, bytes);
  if (error == 0) error = repeat([&] { return ::fsync(file.fd); });
  if (error == 0) error = repeat([&] { return std::rename(beside.c_str(), path.c_str()); });
  if (error != 0) ::unlink(beside.c_str());
  return error;
}

// --- In processes -----------------------------------------------------------------------------------------------------------------------

std::string checked_path(std::string_view path, std::string_view call) {
  if (path.empty()) throw BadArgument(std::string(call) + ": the path is empty");
  if (path.find('\0') != std::string_view::npos) throw BadArgument(std::string(call) + ": the path contains a zero byte");
  return std::string(path);
}

/// `result` if it is one.
std::int64_t check(std::int64_t result, std::string_view call, const std::string& path) {
  if (result >= 0) return result;
  const int code = static_cast<int>(-result);
  throw FileError(
      std::string(call) + " of " + path + ": " + std::generic_category().message(code) + " (errno " + std::to_string(code) + ")", code);
}

int flags_of(FileMode mode) {
  switch (mode) {
    case FileMode::read:
      return O_RDONLY;
    case FileMode::write:
      return O_RDWR | O_CREAT;
    case FileMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
    case FileMode::truncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  throw BadArgument("File::open(): no such mode");
}

}  // namespace

File File::open(std::string_view path, FileMode mode) {
  std::string kept = checked_path(path, "File::open()");
  const int flags = flags_of(mode);
  // A File from inside the section: a process that is killed meanwhile never sees its result, and the descriptor must go all the same.
  File file = blocking([&] {
    const int fd = open_file(kept, flags);
    return File(kept, fd);
  });
  check(file.fd_, "File::open()", kept);
  return file;
}

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  close();
  path_ = std::move(other.path_);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
  return static_cast<std::size_t>(check(blocking([=, this] { return read_all(fd_, offset, buffer); }), "File::read_at()", path_));
}

void File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  check(blocking([=, this] { return write_all(fd_, offset, bytes); }), "File::write_at()", path_);
}

std::uint64_t File::size_bytes() const {
  return static_cast<std::uint64_t>(check(blocking([this] { return size_of(fd_); }), "File::size_bytes()", path_));
}

void File::sync() {
  check(blocking([this] { return repeat([this] { return ::fsync(fd_); }); }), "File::sync()", path_);
}

void File::close() noexcept {
  const int fd = std::exchange(fd_, -1);
  if (fd >= 0) ::close(fd);
}

std::string read_file(std::string_view path, std::size_t max_bytes) {
  const std::string kept = checked_path(path, "read_file()");
  std::string content;
  check(blocking([&] { return read_whole(kept, max_bytes, content); }), "read_file()", kept);
  return content;
}

void write_file(std::string_view path, std::span<const std::byte> bytes) {
  const std::string kept = checked_path(path, "write_file()");
  check(blocking([&] { return replace(kept, bytes); }), "write_file()", kept);
}

}  // namespace weft
