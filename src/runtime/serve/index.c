/* index.c - the page at /debug/pprof/: first what Go's page has, in its order, since people and scrapers know it; then what
 * a reader of a C process's profiles has to know. Plain HTML: it reads well in a text browser, and nothing is loaded. */
#include "runtime/serve/index.h"

#include <stdatomic.h>
#include <string.h>

#include <cpprof.h>
#include "runtime/collect/collect.h"
#include "runtime/collect/cpu.h"
#include "runtime/collect/names.h"
#include "runtime/life.h"
#include "runtime/serve/facts.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/unwind.h"

/* Length of the UTF-8 character at the start of the text, 0 = it is none. */
static size_t utf8_length(struct str text)
{
	unsigned char first = (unsigned char)text.data[0];
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (length > text.length || (first >= 0x80 && first < 0xc2) || first >= 0xf5)
		return 0;
	for (size_t i = 1; i < length; i++)
		if (((unsigned char)text.data[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

void html_escape(struct str text, struct buffer *to)
{
	while (text.length) {
		char c = text.data[0];
		size_t length = utf8_length(text);
		if (c == '<')
			buffer_append_text(to, "&lt;");
		else if (c == '>')
			buffer_append_text(to, "&gt;");
		else if (c == '&')
			buffer_append_text(to, "&amp;");
		else if (c == '"')
			buffer_append_text(to, "&#34;");
		else if (c == '\'')
			buffer_append_text(to, "&#39;");
		else if (length == 0 || (unsigned char)c < ' ')
			buffer_append_char(to, '?');
		else
			buffer_append(to, text.data, length);
		text = str_from(text, length ? length : 1);
	}
}

/* --- Go's part ------------------------------------------------------------------------------------------------------ */

static uint32_t count_block(void)
{
	return collect_contention_count(CONTENTION_BLOCK);
}

static uint32_t count_mutex(void)
{
	return collect_contention_count(CONTENTION_MUTEX);
}

static uint32_t count_wait(void)
{
	return collect_contention_count(CONTENTION_WAIT);
}

struct entry {
	const char *name;
	uint32_t (*count)(void); /* NULL: not a profile */
	const char *description;
};

static const struct entry entries[] = {
	{ "allocs", collect_heap_count, "A sample of all memory allocations since the start, freed ones included." },
	{ "block", count_block,
	  "The stacks that waited for other threads: for locks, conditions, semaphores, barriers, and threads to end. "
	  "debug=1 "
	  "shows the waits in progress, too; current=1 is those alone." },
	{ "cmdline", NULL, "The command line that this program was started with." },
	{ "goroutine", collect_thread_count,
	  "The stacks of all threads of this process, under the name that Go's tools ask for. debug=2 prints one block a "
	  "thread." },
	{ "heap", collect_heap_count,
	  "A sample of the memory that is in use now. It is exact as of now; gc=1 is accepted and changes nothing." },
	{ "mutex", count_mutex, "The stacks that unlocked what others were waiting for, with how long those had waited." },
	{ "profile", NULL,
	  "Where processor time goes, sampled for seconds=30. hz=100 is the rate, up to 1000; labels=thread tells the "
	  "threads "
	  "apart." },
	{ "symbol", NULL, "Names for addresses, separated by '+', in the query of a GET or in the body of a POST." },
	{ "threadcreate", collect_threadcreate_count, "The stacks that created threads, those that have ended included." },
	{ "threads", collect_thread_count, "The same as goroutine." },
	{ "wait", count_wait,
	  "The stacks that waited for I/O, time, signals, and processes. debug=1 and current=1 as for block." },
};
#define ENTRY_COUNT (sizeof(entries) / sizeof(*entries))

static void write_profiles(struct buffer *to)
{
	buffer_append_text(to, "/debug/pprof/\n<br>\n"
	                       "<p>With debug=1 as a query parameter a profile is text.</p>\n"
	                       "<br>\nTypes of profiles available:\n<table>\n<thead><tr><td>Count</td><td>Profile</td></tr>"
	                       "</thead>\n");
	for (size_t i = 0; i < ENTRY_COUNT; i++)
		buffer_printf(to, "<tr><td>%u</td><td><a href='%s?debug=1'>%s</a></td></tr>\n",
		              entries[i].count ? entries[i].count() : 0, entries[i].name, entries[i].name);
	buffer_append_text(to, "</table>\n<a href=\"goroutine?debug=2\">full goroutine stack dump</a>\n<br>\n"
	                       "<p>\nProfile Descriptions:\n<ul>\n");
	for (size_t i = 0; i < ENTRY_COUNT; i++)
		buffer_printf(to, "<li><div class=profile-name>%s: </div> %s</li>\n", entries[i].name, entries[i].description);
	buffer_append_text(to, "</ul>\n</p>\n");
}

/* --- facts ---------------------------------------------------------------------------------------------------------- */

static void fact(struct buffer *to, const char *name)
{
	buffer_printf(to, "<tr><td>%s</td><td>", name);
}

static void end_fact(struct buffer *to)
{
	buffer_append_text(to, "</td></tr>\n");
}

static void text_fact(struct buffer *to, const char *name, const char *text)
{
	fact(to, name);
	html_escape(str_of(text), to);
	end_fact(to);
}

static void size_fact(struct buffer *to, const char *name, uint64_t bytes)
{
	fact(to, name);
	facts_size(bytes, to);
	end_fact(to);
}

/* -1: the kernel does not say. */
static void number_fact(struct buffer *to, const char *name, int64_t number)
{
	fact(to, name);
	if (number < 0)
		buffer_append_text(to, "unknown");
	else
		buffer_printf(to, "%lld", (long long)number);
	end_fact(to);
}

static void write_process(struct buffer *to)
{
	buffer_append_text(to, "<p>\nThis process:\n<table>\n");
	number_fact(to, "pid", process.pid);
	text_fact(to, "name", process.name);
	fact(to, "up for");
	facts_duration((monotonic_ns() - process.started_ns) / 1000000000u, to);
	end_fact(to);
	int64_t resident = facts_resident_bytes();
	if (resident >= 0)
		size_fact(to, "resident memory", (uint64_t)resident);
	number_fact(to, "threads", collect_thread_count());
	number_fact(to, "open descriptors", facts_open_descriptors());
	text_fact(to, "allocator", heap_allocator());
	fact(to, "serves at");
	html_escape(str_of(life_address()), to);
	buffer_append_text(to, *life_address() ? ", " : "");
	buffer_printf(to, "pid:%d", process.pid);
	end_fact(to);
	buffer_append_text(to, "</table>\n</p>\n");
}

/* --- on and off ----------------------------------------------------------------------------------------------------- */

static void item(struct buffer *to, const char *name, const char *text)
{
	buffer_printf(to, "<li>%s: ", name);
	html_escape(str_of(text), to);
	buffer_append_text(to, "</li>\n");
}

static void write_heap_state(struct buffer *to)
{
	const char *why = heap_why_off();
	if (!why) {
		buffer_append_text(to, "<li>heap, allocs: on, ");
		if (settings.heap_rate == 1)
			buffer_append_text(to, "every block is recorded");
		else
			buffer_printf(to, "one sample for every %llu bytes allocated, on average",
			              (unsigned long long)settings.heap_rate);
		buffer_append_text(to, " (CPPROF_HEAP_RATE)</li>\n");
		return;
	}
	item(to, "heap, allocs", why);
	if (settings.heap_off)
		buffer_append_text(
				to, "<li>heap, allocs: to switch them on, restart the program without \"heap\" in CPPROF_DISABLE, and "
					"with CPPROF_HEAP_RATE unset or above 0</li>\n");
}

static void write_cpu_state(struct buffer *to)
{
	const char *why = cpu_why_off();
	buffer_append_text(to, "<li>profile (CPU): ");
	html_escape(str_of(why ? why : "on request, from "), to);
	html_escape(str_of(why ? "" : cpu_source_text()), to);
	if (settings.perf_off && !why)
		buffer_append_text(to, " (\"perf\" is in CPPROF_DISABLE)");
	buffer_append_text(to, "</li>\n");
	if (settings.signals_off)
		buffer_append_text(to, "<li>profile (CPU): to switch it on, restart the program without \"signals\" in "
		                       "CPPROF_DISABLE</li>\n");
}

/* `names`: of the profiles that the rate is for; `word`: of CPPROF_DISABLE. */
static void write_wait_state(const char *names, enum contention_kind kind, const char *variable, const char *word,
                             uint64_t rate_ns, struct buffer *to)
{
	const char *why = contention_why_off(kind);
	if (why) {
		item(to, names, why);
		if (!settings.threads_off)
			buffer_printf(to,
			              "<li>%s: to switch on, restart the program with %s unset or above 0, and without \"%s\" in "
			              "CPPROF_DISABLE</li>\n",
			              names, variable, word);
		return;
	}
	buffer_printf(to, "<li>%s: on, ", names);
	if (rate_ns == 1)
		buffer_append_text(to, "every wait is recorded");
	else
		buffer_printf(to, "one sample for every %llu nanoseconds waited, on average; longer waits are all recorded",
		              (unsigned long long)rate_ns);
	buffer_printf(to, " (%s)</li>\n", variable);
}

static void write_state(struct buffer *to)
{
	static const char absent[] = "off: not in this version";
	buffer_append_text(to, "<p>\nWhat is on and what is off:\n<ul>\n");
	write_heap_state(to);
	item(to, "goroutine, threads, threadcreate",
	     settings.threads_off ? "on, but waiting threads do not publish where they wait: take \"threads\" out of "
	                            "CPPROF_DISABLE and restart"
	                          : "on");
	write_wait_state("block, mutex", CONTENTION_BLOCK, "CPPROF_BLOCK_RATE", "block", settings.block_rate_ns, to);
	write_wait_state("wait", CONTENTION_WAIT, "CPPROF_WAIT_RATE", "wait", settings.wait_rate_ns, to);
	write_cpu_state(to);
	/* Reached through cpprof_http, when there is no service of ours. */
	if (life_why_off())
		item(to, "serving", life_why_off());
	if (settings.signals_off)
		item(to, "stacks of running threads",
		     "off: threads that run are not interrupted; take \"signals\" out of CPPROF_DISABLE and restart");
	if (settings.names_off)
		item(to, "names inside profiles", "off: take \"names\" out of CPPROF_DISABLE and restart");
	if (settings.helper_off)
		item(to, "files and lines inside profiles", "off: take \"helper\" out of CPPROF_DISABLE and restart");
	else if (names_why_no_lines())
		item(to, "files and lines inside profiles", names_why_no_lines());
	item(to, "trace", absent);
	buffer_append_text(to, "</ul>\n</p>\n");
}

static void write_links(struct buffer *to)
{
	buffer_append_text(
			to,
			"<p>\nReady links:\n<ul>\n"
			"<li><a href='profile?seconds=5'>profile?seconds=5</a>: where processor time goes within 5 seconds</li>\n"
			"<li><a href='heap'>heap</a>: what is in use now, for cpprof or go tool pprof</li>\n"
			"<li><a href='goroutine'>goroutine</a>: all threads, for cpprof or go tool pprof</li>\n"
			"<li><a href='block?debug=1'>block?debug=1</a>: who has waited for whom, and who does now</li>\n"
			"<li><a href='mutex'>mutex</a>: who has kept others waiting, for cpprof or go tool pprof</li>\n"
			"<li><a href='wait'>wait</a>: I/O and sleeps, for cpprof or go tool pprof</li>\n"
			"<li><a href='heap?seconds=30'>heap?seconds=30</a>: what changes within 30 seconds</li>\n"
			"<li><a href='goroutine?seconds=10'>goroutine?seconds=10</a>: which threads come and go within 10 "
			"seconds</li>\n"
			"</ul>\n</p>\n");
}

static void write_losses(struct buffer *to)
{
	bool any = false;
	buffer_append_text(to, "<p>\nWhat could not be recorded:\n<ul>\n");
	for (int i = 0; i < LOSS_COUNT; i++) {
		uint64_t count = atomic_load_explicit(&losses[i], memory_order_relaxed);
		if (!count)
			continue;
		any = true;
		buffer_printf(to, "<li>%llu %s</li>\n", (unsigned long long)count, loss_text((enum loss)i));
	}
	buffer_append_text(to, any ? "</ul>\n</p>\n" : "<li>nothing was lost</li>\n</ul>\n</p>\n");
}

static void write_costs(uint64_t requests, struct buffer *to)
{
	buffer_append_text(to, "<p>\nThis library:\n<table>\n");
	text_fact(to, "version", cpprof_version());
	size_fact(to, "memory mapped", pages_mapped_bytes());
	size_fact(to, "of it for stacks", stack_table_bytes());
	size_fact(to, "of it for unwinding", unwind_bytes());
	size_fact(to, "of it for names", names_bytes());
	number_fact(to, "kept stacks", stack_table_count());
	number_fact(to, "requests served", (int64_t)requests);
	number_fact(to, "longest piece of work, microseconds", (int64_t)(work_longest_ns() / 1000));
	number_fact(to, "longest hold of a lock that malloc tries, microseconds",
	            (int64_t)((collect_heap_lock_ns() + 999) / 1000));
	buffer_append_text(to, "</table>\n</p>\n");
}

void index_render(uint64_t requests, struct buffer *to)
{
	buffer_append_text(to, "<html>\n<head>\n<title>/debug/pprof/</title>\n<style>\n"
	                       ".profile-name { display: inline-block; width: 8rem; }\n"
	                       "td { padding-right: 1rem; vertical-align: top; }\n"
	                       "</style>\n</head>\n<body>\n");
	write_profiles(to);
	write_process(to);
	write_state(to);
	write_links(to);
	write_losses(to);
	write_costs(requests, to);
	buffer_append_text(to, "</body>\n</html>\n");
}
