// programs_cxx.cpp - what C++ programs do that C programs do not: exceptions through many frames and threads, futures, static
// objects with destructors, streams. Prints what came of it, says "ready", and ends when its input does.
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

struct Farewell {
	~Farewell()
	{
		std::cout << "farewell" << std::endl;
	}
} farewell;

struct Counted {
	static int live;
	Counted()
	{
		live++;
	}
	~Counted()
	{
		live--;
	}
};
int Counted::live = 0;

int descend(int depth)
{
	Counted counted;
	if (depth == 0)
		throw std::runtime_error("deep");
	return descend(depth - 1) + 1;
}

int caught(int times)
{
	int count = 0;
	for (int i = 0; i < times; i++) {
		try {
			descend(i % 40);
		} catch (const std::exception &) {
			count++;
		}
	}
	return count;
}

// A queue whose readers wait; the writer is slow, so that they do.
class Queue
{
	std::mutex lock;
	std::condition_variable changed;
	std::vector<int> values;
	bool closed = false;

  public:
	void push(int value)
	{
		std::lock_guard<std::mutex> held(lock);
		values.push_back(value);
		changed.notify_one();
	}
	void close()
	{
		std::lock_guard<std::mutex> held(lock);
		closed = true;
		changed.notify_all();
	}
	bool pop(int &value)
	{
		std::unique_lock<std::mutex> held(lock);
		changed.wait(held, [this] { return closed || !values.empty(); });
		if (values.empty())
			return false;
		value = values.back();
		values.pop_back();
		return true;
	}
};

long through_queue()
{
	Queue queue;
	std::vector<std::future<long>> readers;
	for (int i = 0; i < 4; i++)
		readers.push_back(std::async(std::launch::async, [&queue] {
			long sum = 0;
			for (int value; queue.pop(value);)
				sum += value;
			return sum;
		}));
	for (int i = 0; i < 500; i++) {
		queue.push(i);
		if (i % 100 == 0)
			std::this_thread::sleep_for(std::chrono::milliseconds(5));
	}
	queue.close();
	long sum = 0;
	for (auto &reader : readers)
		sum += reader.get();
	return sum;
}

} // namespace

int main()
{
	std::cout << "caught " << caught(5000) << ", live " << Counted::live << '\n';
	std::cout << "sum " << through_queue() << '\n';
	auto failing = std::async(std::launch::async, [] { return descend(30); });
	try {
		failing.get();
	} catch (const std::exception &error) {
		std::cout << "from a thread: " << error.what() << '\n';
	}
	std::map<std::string, std::shared_ptr<std::string>> map;
	for (int i = 0; i < 20000; i++)
		map[std::to_string(i * 7919 % 20011)] = std::make_shared<std::string>(static_cast<size_t>(i % 100), 'x');
	std::cout << "map " << map.size() << ' ' << map.begin()->first << ' '
			  << std::accumulate(map.begin(), map.end(), size_t(0),
	                             [](size_t sum, auto &pair) { return sum + pair.second->size(); })
			  << '\n';
	std::timed_mutex timed;
	std::lock_guard<std::timed_mutex> held(timed);
	std::thread([&timed] {
		std::cout << "timed " << timed.try_lock_for(std::chrono::milliseconds(20)) << '\n';
	}).join();
	std::cout << "ready" << std::endl;
	for (std::string line; std::getline(std::cin, line);)
		;
	return 6;
}
