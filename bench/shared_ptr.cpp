// shared_ptr.cpp - what copying and dropping a std::shared_ptr costs: libstdc++ leaves atomic instructions out while the process has one
// thread. As calls.c, of which this is the part in C++.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

static double cpu_ns()
{
	timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

int main(int argc, char **argv)
{
	const int times = 1000000;
	auto shared = std::make_shared<int>(1);
	std::vector<double> ns;
	usleep(1000);
	if (argc > 1 && std::strcmp(argv[1], "threaded") == 0)
		std::thread([] {}).join();
	for (int batch = 0; batch < 16; batch++) {
		double start = cpu_ns();
		for (int i = 0; i < times; i++) {
			auto copy = shared;
			__asm__ volatile("" : : "r"(copy.get()) : "memory");
		}
		ns.push_back((cpu_ns() - start) / times);
	}
	std::sort(ns.begin(), ns.end());
	std::printf("copy of a shared_ptr\t%.2f\n", ns[ns.size() / 2]);
	return 0;
}
