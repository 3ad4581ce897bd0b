/* contention.c - block, mutex and wait as rows: the sums of all waits (shared/contention), and the waits in progress, as the
 * threads publish them. Inside work_run.
 */
#include <string.h>

#include "runtime/collect/collect.h"
#include "runtime/collect/thread_read.h"
#include "runtime/hooks/lock_names.h"
#include "runtime/hooks/real.h"
#include "runtime/hooks/wait_record.h"
#include "runtime/life.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"

static const char *const kind_names[CONTENTION_KINDS] = { "block", "mutex", "wait" };

enum value { COUNT, DELAY };

/* --- what a row says beside its stack ------------------------------------------------------------------------------- */

static void add_label(struct table_row *row, struct table_label label)
{
	row->labels[row->label_count++] = label;
}

static const char *address_text(uint64_t address)
{
	char *text = work_alloc(24);
	own_snprintf(text, 24, "0x%llx", (unsigned long long)address);
	return text;
}

static bool is_join(enum wait_call call)
{
	return call == WAIT_pthread_join || call == WAIT_pthread_timedjoin_np || call == WAIT_pthread_clockjoin_np ||
	       call == WAIT_thrd_join;
}

/* call; and what was waited for: lock and lock_name, or the thread that was to be joined. */
static void describe(struct table_row *row, enum contention_kind kind, enum wait_call call, uint64_t object)
{
	char name[LOCK_NAME_SIZE];
	if (call != WAIT_NONE)
		add_label(row, (struct table_label){ .key = "call", .text = wait_call_name(call) });
	if (kind == CONTENTION_WAIT || !object)
		return;
	if (is_join(call)) {
		add_label(row, (struct table_label){ .key = "thread", .text = address_text(object) });
		return;
	}
	add_label(row, (struct table_label){ .key = "lock", .text = address_text(object) });
	if (lock_name_get(object, name)) {
		char *kept = work_alloc(sizeof(name));
		memcpy(kept, name, sizeof(name));
		add_label(row, (struct table_label){ .key = "lock_name", .text = kept });
	}
}

static void table_begin(enum contention_kind kind, struct table *ret_table)
{
	const char *counted = kind == CONTENTION_WAIT ? "waits" : "contentions";
	*ret_table = (struct table){
		.name = kind_names[kind],
		.value_types = { counted, "delay" },
		.value_units = { "count", "nanoseconds" },
		.value_count = 2,
		.period_type = counted,
		.period_unit = "count",
		.period = 1,
		.time_ns = (int64_t)clock_ns(CLOCK_REALTIME),
	};
}

/* --- comments ------------------------------------------------------------------------------------------------------- */

static void comment(struct table *table, const char *text)
{
	if (table->comment_count < sizeof(table->comments) / sizeof(table->comments[0]))
		table->comments[table->comment_count++] = text;
}

static void comment_rate(struct table *table, enum contention_kind kind)
{
	const char *variable = kind == CONTENTION_WAIT ? "CPPROF_WAIT_RATE" : "CPPROF_BLOCK_RATE";
	uint64_t rate = kind == CONTENTION_WAIT ? settings.wait_rate_ns : settings.block_rate_ns;
	char *text = work_alloc(128);
	if (rate == 1)
		own_snprintf(text, 128, "every wait is counted (%s=1)", variable);
	else
		own_snprintf(text, 128, "one sample for each %llu ns of waiting, on average (%s)", (unsigned long long)rate,
		             variable);
	comment(table, text);
}

static void comment_losses(struct table *table, enum contention_kind kind)
{
	static const enum loss kinds_losses[] = { LOSS_CONTENTION_FULL, LOSS_STACKS_FULL, LOSS_STACK_CUT,
		                                      LOSS_UNWIND_FAILED, LOSS_WAITERS_FULL };
	size_t count = sizeof(kinds_losses) / sizeof(kinds_losses[0]);
	if (kind != CONTENTION_MUTEX)
		count--; /* the last one is about unlockers */
	for (size_t i = 0; i < count; i++) {
		uint64_t lost = atomic_load_explicit(&losses[kinds_losses[i]], memory_order_relaxed);
		if (!lost)
			continue;
		const char *what = loss_text(kinds_losses[i]);
		size_t size = strlen(what) + 32;
		char *text = work_alloc(size);
		own_snprintf(text, size, "%s: %llu", what, (unsigned long long)lost);
		comment(table, text);
	}
}

const char *contention_why_off(enum contention_kind kind)
{
	bool waits = kind == CONTENTION_WAIT;
	if (settings.disabled)
		return "off: CPPROF_DISABLE=all";
	if (settings.threads_off)
		return "off: CPPROF_DISABLE=threads";
	if (!(waits ? settings.wait_rate_ns : settings.block_rate_ns))
		return waits ? "off: CPPROF_WAIT_RATE=0" : "off: CPPROF_BLOCK_RATE=0";
	if (waits ? settings.wait_off : settings.block_off)
		return waits ? "off: CPPROF_DISABLE=wait" : "off: CPPROF_DISABLE=block";
	if (hooks_off) {
		const char *why = life_why_off();
		return why ? why : "off: the library's hooks are switched off";
	}
	return NULL;
}

/* --- the sums so far ------------------------------------------------------------------------------------------------ */

/* Whole waits; one at least, where there is time. */
static int64_t whole_waits(const struct contention *entry)
{
	uint64_t whole = (entry->count + CONTENTION_UNIT / 2) / CONTENTION_UNIT;
	return (int64_t)(whole || !entry->ns ? whole : 1);
}

static void add_row(struct table *table, const struct contention *entry)
{
	struct table_row *row = &table->rows[table->row_count++];
	row->stack = entry->stack;
	row->frames = stack_table_get(entry->stack, &row->frame_count);
	row->values[COUNT] = row->raw[COUNT] = whole_waits(entry);
	row->values[DELAY] = row->raw[DELAY] = entry->ns > INT64_MAX ? INT64_MAX : (int64_t)entry->ns;
	describe(row, entry->kind, entry->call, entry->object);
}

void collect_contention(enum contention_kind kind, struct table *ret_table)
{
	table_begin(kind, ret_table);
	/* More may come meanwhile; they are the next collection's. */
	uint32_t room = contention_count(kind);
	ret_table->rows = work_alloc_array(room, sizeof(*ret_table->rows));
	for (uint32_t slot = 0; slot < CONTENTION_SLOTS && ret_table->row_count < room; slot++) {
		struct contention entry;
		if (contention_at(slot, &entry) && entry.kind == kind && entry.count)
			add_row(ret_table, &entry);
	}
	const char *off = contention_why_off(kind);
	if (off)
		comment(ret_table, off);
	else
		comment_rate(ret_table, kind);
	comment_losses(ret_table, kind);
}

uint32_t collect_contention_count(enum contention_kind kind)
{
	return contention_count(kind);
}

/* --- waits in progress ---------------------------------------------------------------------------------------------- */

/* The rows so far, and which of them is which stack, call and object. */
struct gather {
	enum contention_kind kind;
	struct table *table;
	struct waiting {
		uint64_t hash, object;
		enum wait_call call;
		int64_t longest_ns; /* -1: unknown */
	} * keys;               /* of the rows */
	uint32_t *slots;        /* row + 1, 0 = empty */
	uint32_t slot_mask;
};

static void prepare(void *arg, uint32_t count)
{
	struct gather *gather = arg;
	uint32_t size = 64;
	while (size < count * 2)
		size *= 2;
	gather->slots = work_alloc_array(size, sizeof(*gather->slots));
	gather->slot_mask = size - 1;
	gather->keys = work_alloc_array(count, sizeof(*gather->keys));
	gather->table->rows = work_alloc_array(count, sizeof(*gather->table->rows));
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 29;
}

static uint64_t hash_view(const struct thread_view *view, uint64_t object)
{
	uint64_t hash = mix(view->frames.count, (uint64_t)view->call);
	hash = mix(hash, object);
	for (uint32_t i = 0; i < view->frames.count; i++)
		hash = mix(hash, view->frames.at[i]);
	return hash;
}

static bool is_same(const struct waiting *key, const struct table_row *row, const struct thread_view *view,
                    uint64_t hash, uint64_t object)
{
	return key->hash == hash && key->object == object && key->call == view->call &&
	       row->frame_count == view->frames.count &&
	       memcmp(row->frames, view->frames.at, view->frames.count * sizeof(view->frames.at[0])) == 0;
}

static uint32_t make_row(struct gather *gather, const struct thread_view *view)
{
	struct table_row *row = &gather->table->rows[gather->table->row_count];
	uintptr_t *frames = work_alloc_array(view->frames.count + 1, sizeof(*frames));
	memcpy(frames, view->frames.at, view->frames.count * sizeof(*frames));
	row->frames = frames;
	row->frame_count = view->frames.count;
	return gather->table->row_count++;
}

static void add_view(void *arg, uint32_t index, const struct thread_view *view)
{
	struct gather *gather = arg;
	(void)index;
	if (view->call == WAIT_NONE || contention_kind_of(view->call) != gather->kind)
		return;
	uint64_t object = gather->kind == CONTENTION_WAIT ? 0 : view->wait_object, hash = hash_view(view, object);
	struct table_row *rows = gather->table->rows;
	uint32_t at = (uint32_t)hash & gather->slot_mask;
	while (gather->slots[at] &&
	       !is_same(&gather->keys[gather->slots[at] - 1], &rows[gather->slots[at] - 1], view, hash, object))
		at = (at + 1) & gather->slot_mask;
	if (!gather->slots[at]) {
		uint32_t made = make_row(gather, view);
		gather->keys[made] = (struct waiting){ hash, object, view->call, -1 };
		gather->slots[at] = made + 1;
	}
	struct table_row *row = &rows[gather->slots[at] - 1];
	struct waiting *key = &gather->keys[gather->slots[at] - 1];
	row->values[COUNT]++;
	if (view->waiting_ns > 0)
		row->values[DELAY] += view->waiting_ns;
	if (view->waiting_ns > key->longest_ns)
		key->longest_ns = view->waiting_ns;
}

void collect_waiting(enum contention_kind kind, struct table *ret_table)
{
	struct gather gather = { .kind = kind, .table = ret_table };
	table_begin(kind, ret_table);
	/* An unlocker does not wait. */
	if (kind == CONTENTION_MUTEX)
		return;
	threads_read(false, prepare, add_view, &gather);
	for (uint32_t i = 0; i < ret_table->row_count; i++) {
		struct table_row *row = &ret_table->rows[i];
		const struct waiting *key = &gather.keys[i];
		row->raw[COUNT] = row->values[COUNT];
		row->raw[DELAY] = row->values[DELAY];
		describe(row, kind, key->call, key->object);
		if (key->longest_ns >= 0)
			add_label(row, (struct table_label){ .key = "age", .number = key->longest_ns, .unit = "nanoseconds" });
	}
	const char *off = settings.threads_off ? contention_why_off(kind) : NULL;
	if (off)
		comment(ret_table, off);
	table_merge_rows(ret_table);
}
