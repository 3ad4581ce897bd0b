/* name_helper.c - the tool's side of the conversation with libcpprof. The protocol is in docs/names.md.
 *
 * The request becomes a profile without samples, which is symbolized as any other: so the names in a profile that a C program
 * serves are those that this tool would have found by itself. Not here: starting it (src/runtime/collect/helper.c).
 */
#include "cli/name_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

#define GREETING "cpprof-names 1\n"
#define REQUEST_MAX ((size_t)64 * 1024 * 1024)
#define ANSWER_MAX ((size_t)256 * 1024 * 1024)
#define READ_SIZE ((size_t)64 * 1024)
#define FRAMES_SHOWN_MAX 128u /* the other side takes no more */

bool name_helper_is_wanted(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], "--name-addresses") == 0;
}

/* We work for a process that is worth more than we are: memory that runs short is taken from us. */
static void step_back(void)
{
	prctl(PR_SET_NAME, "cpprof-names", 0, 0, 0);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t written = write(fd, "1000", 4);
	(void)written; /* without it we are as other processes are */
	close(fd);
}

static bool read_all(struct buffer *to)
{
	for (;;) {
		char *room = buffer_reserve(to, READ_SIZE);
		ssize_t got = room ? read(STDIN_FILENO, room, READ_SIZE) : -1;
		if (got > 0)
			buffer_claim(to, (size_t)got);
		else if (got == 0)
			return true;
		else if (!room || errno != EINTR)
			return false;
	}
}

static bool write_all(struct str bytes)
{
	while (bytes.length) {
		ssize_t done = write(STDOUT_FILENO, bytes.data, bytes.length);
		if (done > 0)
			bytes = str_from(bytes, (size_t)done);
		else if (errno != EINTR)
			return false;
	}
	return true;
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

/* "m START LIMIT OFFSET BUILD_ID PATH" */
static bool read_module(const char *line, struct profile *profile)
{
	unsigned long start, limit, offset;
	char build_id[80];
	int path = 0;
	if (sscanf(line, "m %lx %lx %lx %79s %n", &start, &limit, &offset, build_id, &path) != 4 || !line[path])
		return false;
	uint32_t file_ix = profile_intern_text(profile, line + path);
	uint32_t id_ix = strcmp(build_id, "-") == 0 ? 0 : profile_intern_text(profile, build_id);
	struct mapping *mapping = profile_add_mapping(profile);
	mapping->id = profile->mapping_count;
	mapping->start = start;
	mapping->limit = limit;
	mapping->offset = offset;
	mapping->file = file_ix;
	mapping->build_id = id_ix;
	return true;
}

/* "a ADDRESS", of the last module. */
static bool read_address(const char *line, struct profile *profile)
{
	unsigned long address;
	if (!profile->mapping_count || sscanf(line, "a %lx", &address) != 1)
		return false;
	struct location *location = profile_add_location(profile);
	location->id = profile->location_count;
	location->address = address;
	location->mapping_ix = profile->mapping_count - 1;
	return true;
}

static bool read_request(char *text, struct profile *profile)
{
	size_t greeting = strlen(GREETING);
	if (strncmp(text, GREETING, greeting) != 0)
		return false;
	for (char *line = text + greeting, *newline; *line; line = newline + 1) {
		newline = strchr(line, '\n');
		if (!newline)
			return false;
		*newline = '\0';
		if (!(line[0] == 'm' ? read_module(line, profile) : read_address(line, profile)))
			return false;
	}
	return true;
}

/* --- the answer ----------------------------------------------------------------------------------------------------- */

/* Tabs and newlines are the protocol's own. */
static void append_text(struct buffer *to, struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		buffer_append_char(to, c == '\t' || c == '\n' || c == '\0' ? '?' : c);
	}
}

static void append_frame(struct buffer *to, const struct profile *profile, const struct line *line)
{
	const struct function *function = &profile->functions[line->function_ix];
	int64_t number = line->line > 0 && line->line <= UINT32_MAX ? line->line : 0;
	int64_t start = function->start_line > 0 && function->start_line <= UINT32_MAX ? function->start_line : 0;
	buffer_printf(to, "l %lld %lld ", (long long)number, (long long)start);
	append_text(to, function->name ? profile_str(profile, function->name) : STR_LITERAL("??"));
	buffer_append_char(to, '\t');
	append_text(to, profile_str(profile, function->system_name));
	buffer_append_char(to, '\t');
	append_text(to, profile_str(profile, function->filename));
	buffer_append_char(to, '\n');
}

static void append_answer(struct buffer *to, const struct profile *profile)
{
	buffer_append_text(to, GREETING);
	for (uint32_t i = 0; i < profile->location_count; i++) {
		const struct location *location = &profile->locations[i];
		const struct line *lines = profile_lines(profile, location);
		uint32_t count = location->line_count < FRAMES_SHOWN_MAX ? location->line_count : FRAMES_SHOWN_MAX;
		buffer_printf(to, "a %llx %u\n", (unsigned long long)location->address, count);
		/* Of too many the outer ones stay: the physical function is the last. */
		for (uint32_t k = location->line_count - count; k < location->line_count; k++)
			append_frame(to, profile, &lines[k]);
	}
	buffer_append_text(to, "end\n");
}

int name_helper_run(void)
{
	struct buffer request, answer;
	struct profile profile;
	buffer_init(&request, REQUEST_MAX);
	buffer_init(&answer, ANSWER_MAX);
	profile_init(&profile);
	step_back();
	bool done = read_all(&request) && request.length > 0 && read_request(request.data, &profile);
	if (done) {
		struct symbolize_options options = { .local = true };
		symbolize_local(&profile, &options);
		symbolize_demangle_profile(&profile, &options);
		append_answer(&answer, &profile);
		done = !answer.overflow && write_all(buffer_str(&answer));
	}
	profile_release(&profile);
	buffer_release(&answer);
	buffer_release(&request);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
