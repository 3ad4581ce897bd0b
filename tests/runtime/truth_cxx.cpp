/* truth_cxx.cpp - the waits of C++'s library, each with the bounds of truth.h: mutexes, conditions, semaphore, latch, barrier, atomic wait, future,
 * join.
 *
 *     truth_cxx [ROUNDS]
 *
 * Prints the truths and "done"; a line on standard input ends it.
 */
#include "truth.h"

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>

namespace
{

std::mutex mutex;
std::recursive_mutex recursive;
std::timed_mutex timed;
std::shared_mutex shared;
std::mutex guard;
std::condition_variable condition;
std::condition_variable_any any_condition;
bool ready;
std::counting_semaphore<8> semaphore(0);
std::unique_ptr<std::latch> latch;
std::unique_ptr<std::barrier<>> barrier;
std::atomic<int> word;
std::promise<int> promise;
std::future<int> future;
std::thread joined;
std::binary_semaphore joined_end(0);

} // namespace

extern "C" {

TRUTH_FUNCTION void cxx_mutex_holds()
{
	mutex.lock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_mutex_waits()
{
	std::lock_guard<std::mutex> lock(mutex);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_mutex_releases()
{
	mutex.unlock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_recursive_holds()
{
	recursive.lock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_recursive_waits()
{
	std::lock_guard<std::recursive_mutex> lock(recursive);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_recursive_releases()
{
	recursive.unlock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_timed_holds()
{
	timed.lock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_timed_waits()
{
	truth_require(timed.try_lock_for(std::chrono::hours(1)), "try_lock_for");
	timed.unlock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_timed_releases()
{
	timed.unlock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_shared_holds()
{
	shared.lock_shared();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_shared_waits()
{
	std::unique_lock<std::shared_mutex> lock(shared);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_shared_releases()
{
	shared.unlock_shared();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_exclusive_holds()
{
	shared.lock();
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_reader_waits()
{
	std::shared_lock<std::shared_mutex> lock(shared);
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_exclusive_releases()
{
	shared.unlock();
	TRUTH_STAYS;
}

static void unready()
{
	std::lock_guard<std::mutex> lock(guard);
	ready = false;
}

TRUTH_FUNCTION void cxx_condition_waits()
{
	std::unique_lock<std::mutex> lock(guard);
	condition.wait(lock, [] { return ready; });
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_condition_timed_waits()
{
	std::unique_lock<std::mutex> lock(guard);
	truth_require(condition.wait_for(lock, std::chrono::hours(1), [] { return ready; }), "wait_for");
	TRUTH_STAYS;
}

static void make_ready()
{
	{
		std::lock_guard<std::mutex> lock(guard);
		ready = true;
	}
	condition.notify_all();
	any_condition.notify_all();
}

TRUTH_FUNCTION void cxx_condition_any_waits()
{
	std::unique_lock<std::mutex> lock(guard);
	any_condition.wait(lock, [] { return ready; });
	TRUTH_STAYS;
}

TRUTH_FUNCTION void cxx_semaphore_waits()
{
	semaphore.acquire();
	TRUTH_STAYS;
}

static void semaphore_releases()
{
	semaphore.release();
}

static void latch_prepares()
{
	latch = std::make_unique<std::latch>(1);
}

TRUTH_FUNCTION void cxx_latch_waits()
{
	latch->wait();
	TRUTH_STAYS;
}

static void latch_releases()
{
	latch->count_down();
}

static void barrier_prepares()
{
	barrier = std::make_unique<std::barrier<>>(2);
}

TRUTH_FUNCTION void cxx_barrier_waits()
{
	barrier->arrive_and_wait();
	TRUTH_STAYS;
}

static void barrier_releases()
{
	barrier->arrive_and_wait();
}

static void word_prepares()
{
	word = 0;
}

TRUTH_FUNCTION void cxx_atomic_waits()
{
	word.wait(0);
	TRUTH_STAYS;
}

static void word_releases()
{
	word = 1;
	word.notify_all();
}

static void future_prepares()
{
	promise = std::promise<int>();
	future = promise.get_future();
}

TRUTH_FUNCTION void cxx_future_waits()
{
	truth_require(future.get() == 7, "future");
	TRUTH_STAYS;
}

static void future_releases()
{
	promise.set_value(7);
}

static void join_prepares()
{
	joined = std::thread([] { joined_end.acquire(); });
}

TRUTH_FUNCTION void cxx_join_waits()
{
	joined.join();
	TRUTH_STAYS;
}

static void join_releases()
{
	joined_end.release();
}

} // extern "C"

static const truth_case cases[] = {
	{ "cxx_mutex_waits", cxx_mutex_holds, cxx_mutex_waits, nullptr, cxx_mutex_releases, 3 },
	{ "cxx_recursive_waits", cxx_recursive_holds, cxx_recursive_waits, nullptr, cxx_recursive_releases, 1 },
	{ "cxx_timed_waits", cxx_timed_holds, cxx_timed_waits, nullptr, cxx_timed_releases, 1 },
	{ "cxx_shared_waits", cxx_shared_holds, cxx_shared_waits, nullptr, cxx_shared_releases, 1 },
	{ "cxx_reader_waits", cxx_exclusive_holds, cxx_reader_waits, nullptr, cxx_exclusive_releases, 2 },
	{ "cxx_condition_waits", unready, cxx_condition_waits, nullptr, make_ready, 1 },
	{ "cxx_condition_timed_waits", unready, cxx_condition_timed_waits, nullptr, make_ready, 1 },
	{ "cxx_condition_any_waits", unready, cxx_condition_any_waits, nullptr, make_ready, 1 },
	{ "cxx_semaphore_waits", nullptr, cxx_semaphore_waits, nullptr, semaphore_releases, 1 },
	{ "cxx_latch_waits", latch_prepares, cxx_latch_waits, nullptr, latch_releases, 1 },
	{ "cxx_barrier_waits", barrier_prepares, cxx_barrier_waits, nullptr, barrier_releases, 1 },
	{ "cxx_atomic_waits", word_prepares, cxx_atomic_waits, nullptr, word_releases, 1 },
	{ "cxx_future_waits", future_prepares, cxx_future_waits, nullptr, future_releases, 1 },
	{ "cxx_join_waits", join_prepares, cxx_join_waits, nullptr, join_releases, 1 },
};

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10;
	truth_begin();
	for (const truth_case &test : cases)
		truth_measure(&test, rounds);
	truth_say("done");
	return 0;
}
