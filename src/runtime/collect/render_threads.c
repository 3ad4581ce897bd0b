/* render_threads.c - debug=2: every thread as Go prints a goroutine when it panics, so that tools for those dumps read it.
 *
 *     goroutine 4711 [pthread_cond_wait, 3 minutes, "worker"]:
 *     chan_send(...)
 *     	/src/chan.c:31 +0x4a
 *     created by main in goroutine 4700
 *     	/src/main.c:12 +0x33
 */
#include <sys/syscall.h>

#include "runtime/collect/frame_set.h"
#include "runtime/collect/render.h"
#include "runtime/collect/text.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/region.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/unloaded.h"

#define SHOWN_AT_EACH_END 50u
#define MINUTE_NS ((int64_t)60 * 1000 * 1000 * 1000)

/* The calls that threads are found blocked in. */
static const struct {
	int number;
	const char *name;
} blocking_calls[] = {
	{ SYS_futex, "futex" },
	{ SYS_read, "read" },
	{ SYS_write, "write" },
	{ SYS_readv, "readv" },
	{ SYS_writev, "writev" },
	{ SYS_pread64, "pread" },
	{ SYS_pwrite64, "pwrite" },
	{ SYS_poll, "poll" },
	{ SYS_ppoll, "ppoll" },
	{ SYS_select, "select" },
	{ SYS_pselect6, "pselect" },
	{ SYS_epoll_wait, "epoll_wait" },
	{ SYS_epoll_pwait, "epoll_pwait" },
	{ SYS_epoll_pwait2, "epoll_pwait2" },
	{ SYS_accept, "accept" },
	{ SYS_accept4, "accept4" },
	{ SYS_connect, "connect" },
	{ SYS_recvfrom, "recvfrom" },
	{ SYS_recvmsg, "recvmsg" },
	{ SYS_recvmmsg, "recvmmsg" },
	{ SYS_sendto, "sendto" },
	{ SYS_sendmsg, "sendmsg" },
	{ SYS_sendmmsg, "sendmmsg" },
	{ SYS_nanosleep, "nanosleep" },
	{ SYS_clock_nanosleep, "clock_nanosleep" },
	{ SYS_pause, "pause" },
	{ SYS_rt_sigsuspend, "sigsuspend" },
	{ SYS_rt_sigtimedwait, "sigtimedwait" },
	{ SYS_wait4, "wait4" },
	{ SYS_waitid, "waitid" },
	{ SYS_flock, "flock" },
	{ SYS_fcntl, "fcntl" },
	{ SYS_fsync, "fsync" },
	{ SYS_fdatasync, "fdatasync" },
	{ SYS_openat, "open" },
	{ SYS_msgrcv, "msgrcv" },
	{ SYS_msgsnd, "msgsnd" },
	{ SYS_semop, "semop" },
	{ SYS_semtimedop, "semtimedop" },
	{ SYS_io_getevents, "io_getevents" },
	{ SYS_io_uring_enter, "io_uring_enter" },
	{ SYS_ptrace, "ptrace" },
	{ SYS_restart_syscall, "restart_syscall" },
};

static const char *call_name(int number)
{
	for (size_t i = 0; i < sizeof(blocking_calls) / sizeof(blocking_calls[0]); i++) {
		if (blocking_calls[i].number == number)
			return blocking_calls[i].name;
	}
	return "syscall";
}

static const char *state_of(const struct thread_view *thread)
{
	if (thread->call != WAIT_NONE)
		return wait_call_name(thread->call);
	if (thread->state == 'T' || thread->state == 't')
		return "stopped";
	if (thread->state == 'Z' || thread->state == 'X')
		return "dead";
	if (thread->syscall_number >= 0)
		return call_name(thread->syscall_number);
	if (thread->state == 'D')
		return "disk wait";
	return thread->state == 'S' ? "waiting" : "running";
}

/* --- one thread ----------------------------------------------------------------------------------------------------- */

/* A frame of the set, with one of its lines. */
struct shown {
	uint32_t frame_ix;
	uint32_t line_ix;
};

struct creation {
	const uintptr_t *frames;
	uint32_t count; /* 0 = unknown */
};

struct view {
	struct frame_set set;
	struct creation *creations; /* of the dump's threads; asked for once, since a file may be unloaded meanwhile */
	uintptr_t *visible;
	struct shown *shown; /* of the thread being written */
	uint32_t shown_capacity;
};

static void append_header(struct buffer *to, const struct thread_view *thread)
{
	buffer_printf(to, "goroutine %d [%s", thread->tid, state_of(thread));
	if (thread->waiting_ns >= MINUTE_NS)
		buffer_printf(to, ", %ld minutes", thread->waiting_ns / MINUTE_NS);
	if (thread->name[0]) {
		char name[sizeof(thread->name) + 1];
		size_t length = 0;
		/* Readers look for the bracket that ends the header. */
		for (; length < sizeof(thread->name) && thread->name[length]; length++)
			name[length] =
					(char)(thread->name[length] == ']' || thread->name[length] == '\n' ? ' ' : thread->name[length]);
		name[length] = '\0';
		buffer_append_text(to, ", ");
		text_append_quoted(to, name);
	}
	buffer_append_text(to, "]:\n");
}

/* "file:line +0xoff"; the binary where the source is not known. */
static void append_place(struct buffer *to, const struct view *view, const struct shown *shown)
{
	uintptr_t frame = view->set.frames[shown->frame_ix];
	const struct name *name = &view->set.names[shown->frame_ix];
	const struct name_line *line = name->line_count ? &name->lines[shown->line_ix] : NULL;
	bool wrapper = frame_is_wrapper(frame);
	const struct module *module = wrapper ? NULL : frame_set_module(&view->set, shown->frame_ix);
	const char *file = line && !wrapper ? line->file : NULL;
	uint64_t offset = 0;
	if (line && line->function_start && line->function_start <= frame)
		offset = frame - line->function_start;
	else if (module)
		offset = frame - module->start + module->offset;
	buffer_printf(to, "\t%s:%u +0x%lx\n",
	              text_valid(file     ? file
	                         : module ? module->path
	                                  : "?"),
	              file ? line->line : 0, offset);
}

static void append_function(struct buffer *to, const struct view *view, const struct shown *shown)
{
	uintptr_t frame = view->set.frames[shown->frame_ix];
	const struct name *name = &view->set.names[shown->frame_ix];
	const char *pseudo = frame < PSEUDO_LIMIT ? pseudo_frame_name(frame) : NULL;
	if (pseudo)
		buffer_append_text(to, pseudo);
	else if (name->line_count)
		buffer_append_text(to, text_valid(name->lines[shown->line_ix].function));
	else
		buffer_printf(to, "0x%lx", frame);
}

static void show(struct view *view, uint32_t *count, uint32_t frame_ix, uint32_t line_ix)
{
	if (*count == view->shown_capacity) {
		uint32_t capacity = 2 * view->shown_capacity + FRAMES_MAX;
		struct shown *larger = work_alloc_array(capacity, sizeof(*larger));
		for (uint32_t i = 0; i < *count; i++)
			larger[i] = view->shown[i];
		view->shown = larger;
		view->shown_capacity = capacity;
	}
	view->shown[(*count)++] = (struct shown){ frame_ix, line_ix };
}

/* Every function of the stack, inlined ones too, into view->shown; returns how many. */
static uint32_t show_stack(struct view *view, const uintptr_t *frames, uint32_t frame_count)
{
	uint32_t count = 0, visible = frames_visible(frames, frame_count, view->visible);
	for (uint32_t i = 0; i < visible; i++) {
		uint32_t frame_ix = frame_set_add(&view->set, view->visible[i]);
		uint32_t lines = view->set.names[frame_ix].line_count;
		uint32_t line = lines && frame_is_wrapper(view->visible[i]) ? lines - 1 : 0;
		do
			show(view, &count, frame_ix, line);
		while (++line < lines);
	}
	return count;
}

static void append_stack(struct buffer *to, struct view *view, const struct frames *frames)
{
	uint32_t count = show_stack(view, frames->at, frames->count);
	for (uint32_t i = 0; i < count; i++) {
		if (count > 2 * SHOWN_AT_EACH_END && i == SHOWN_AT_EACH_END) {
			buffer_printf(to, "...%u frames elided...\n", count - 2 * SHOWN_AT_EACH_END);
			i = count - SHOWN_AT_EACH_END;
		}
		append_function(to, view, &view->shown[i]);
		buffer_append_text(to, "(...)\n");
		append_place(to, view, &view->shown[i]);
	}
}

/* The stack of the call that made the thread, as it is to be named now. */
static struct creation creation_of(const struct thread_view *thread)
{
	struct creation creation = { NULL, 0 };
	if (thread->creation_stack == STACK_OVERFLOW)
		return creation;
	creation.frames = stack_table_get(thread->creation_stack, &creation.count);
	if (!unloaded_stack(creation.frames, creation.count, thread->creation_stack))
		return creation;
	uintptr_t *settled = work_alloc_array(creation.count, sizeof(*settled));
	unloaded_replace(creation.frames, creation.count, thread->creation_stack, settled);
	creation.frames = settled;
	return creation;
}

static void append_creator(struct buffer *to, struct view *view, const struct thread_view *thread,
                           const struct creation *creation)
{
	uint32_t count = creation->count ? show_stack(view, creation->frames, creation->count) : 0, first = 0;
	/* The wrapper of pthread_create says nothing. */
	while (first < count && frame_is_wrapper(view->set.frames[view->shown[first].frame_ix]))
		first++;
	if (first == count)
		return;
	buffer_append_text(to, "created by ");
	append_function(to, view, &view->shown[first]);
	if (thread->creator_tid)
		buffer_printf(to, " in goroutine %d", thread->creator_tid);
	buffer_append_char(to, '\n');
	append_place(to, view, &view->shown[first]);
}

/* --- all threads ---------------------------------------------------------------------------------------------------- */

static void collect_frames(struct view *view, const uintptr_t *frames, uint32_t count)
{
	uint32_t visible = frames_visible(frames, count, view->visible);
	for (uint32_t i = 0; i < visible; i++)
		frame_set_add(&view->set, view->visible[i]);
}

void render_threads(const struct thread_dump *dump, struct buffer *to)
{
	struct view *view = work_alloc(sizeof(*view));
	view->visible = work_alloc_array(FRAMES_MAX, sizeof(*view->visible));
	view->creations = work_alloc_array(dump->count, sizeof(*view->creations));
	frame_set_init(&view->set);
	for (uint32_t i = 0; i < dump->count; i++) {
		view->creations[i] = creation_of(&dump->threads[i]);
		collect_frames(view, dump->threads[i].frames.at, dump->threads[i].frames.count);
		collect_frames(view, view->creations[i].frames, view->creations[i].count);
	}
	frame_set_name(&view->set);
	for (uint32_t i = 0; i < dump->count; i++) {
		if (i)
			buffer_append_char(to, '\n');
		append_header(to, &dump->threads[i]);
		append_stack(to, view, &dump->threads[i].frames);
		append_creator(to, view, &dump->threads[i], &view->creations[i]);
	}
}
