// Bytes from one process to another through a bounded stream.
#include <cstring>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Total {
  std::uint64_t bytes;
  std::uint64_t checksum;
};

/// Of the first word of each piece, which counts the pieces.
double byte_stream(Runtime& runtime, std::size_t piece_bytes, std::size_t published_bytes) {
  const std::size_t pieces = scaled(published_bytes / piece_bytes);
  return runtime.run([=] {
    const Pid me = self();
    auto [writer, reader] = stream();
    spawn(
        [me, piece_bytes](StreamReader input) {
          Total total{};
          // A chunk need not be a piece: the words that count are found by their place in the stream.
          std::uint64_t next_word = 0;
          while (auto chunk = input.read()) {
            for (; next_word < total.bytes + chunk->size(); next_word += piece_bytes) {
              std::uint64_t word = 0;
              std::memcpy(&word, chunk->data() + (next_word - total.bytes), sizeof word);
              total.checksum += word;
            }
            total.bytes += chunk->size();
          }
          send(me, total);
        },
        std::move(reader));
    std::vector<std::byte> piece(piece_bytes);
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < pieces; ++i) {
      std::memcpy(piece.data(), &i, sizeof i);
      expect(writer.write(piece) == StreamResult::ok, "the stream was closed");
    }
    writer.close();
    const Total total = await<Total>();
    const double figure = static_cast<double>(pieces * piece_bytes) / watch.ns();
    expect(total.bytes == pieces * piece_bytes, "bytes were lost");
    expect(total.checksum == pieces * (pieces - 1) / 2, "bytes were changed");
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("byte_stream_1k", "GB/s", [](Runtime& runtime) { return byte_stream(runtime, 1 << 10, std::size_t{1} << 30); });
  suite.add("byte_stream_64k", "GB/s", [](Runtime& runtime) { return byte_stream(runtime, 64 << 10, std::size_t{4} << 30); });
  return suite.run(argc, argv);
}
