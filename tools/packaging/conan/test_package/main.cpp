#include <iostream>

#include <weft/weft.hpp>

int main() {
  weft::Runtime runtime;
  int answer = 0;
  runtime.run([&] {
    const weft::Pid doubler =
        weft::spawn([] { weft::receive([](const weft::Call<int>& call) { weft::reply(call.from, 2 * call.request); }); });
    answer = weft::call<int>(doubler, 21);
  });
  std::cout << "weft " << weft::library_version() << ": " << answer << '\n';
  return answer == 42 ? 0 : 1;
}
