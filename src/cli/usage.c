/* usage.c - help texts. */
#include "cli/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/command.h"
#include "cli/config.h"

static void append_entry(struct buffer *to, const char *indent, const char *dash, const char *name, const char *help)
{
	char *word = xasprintf("%s%s", dash, name);
	buffer_printf(to, "%s%-16s %.*s\n", indent, word, (int)strcspn(help, "\n"), help);
	free(word);
}

static int compare_fields(const void *a, const void *b)
{
	return strcmp(((const struct config_field *)a)->name, ((const struct config_field *)b)->name);
}

/* The commands stand sorted in their table; the options are sorted here, their order in the table has a meaning. */
static void append_commands_and_options(struct buffer *to, const char *dash)
{
	struct config_field fields[CONFIG_FIELDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < config_field_count; i++)
		fields[count++] = config_fields[i];
	qsort(fields, count, sizeof(*fields), compare_fields);
	buffer_append_text(to,
	                   *dash ? "  Reports (at most one; without, an interactive shell is opened):\n" : "  Commands:\n");
	for (size_t i = 0; i < command_count; i++)
		append_entry(to, "    ", dash, command_table[i].name, command_table[i].help);
	if (!*dash) {
		append_entry(to, "    ", "", "o/options", "List options and their current values");
		append_entry(to, "    ", "", "q/quit/exit/^D", "Leave");
	}
	buffer_append_text(to, "\n  Options:\n");
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind != CONFIG_CHOICE)
			append_entry(to, "    ", dash, fields[i].name, fields[i].help);
	}
	buffer_append_text(to, "\n  Option groups (only set one per group):\n");
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind != CONFIG_CHOICE)
			continue;
		append_entry(to, "    ", "", fields[i].name, "");
		for (const struct config_choice *choice = fields[i].choices; choice->name; choice++)
			append_entry(to, "      ", dash, choice->name, choice->help);
	}
}

#define RUN_OPTIONS \
	"  Options of `cpprof run`:\n" \
	"    -addr ADDRESS    Where it serves: host:port, unix:/path or off (default: 127.0.0.1:9527, or the next free " \
	"port)\n" \
	"    -rate BYTES      Mean bytes between heap samples (default: 524288); 1 = every block, 0 = none\n" \
	"    -no_follow       Programs that it executes in child processes do not carry the library\n"

static const char forms[] =
		"usage:\n"
		"\n"
		"Print one report and end:\n"
		"   cpprof REPORT [options] [binary] SOURCE...\n"
		"\n"
		"Look around in an interactive shell (`help` there lists its commands):\n"
		"   cpprof [options] [binary] SOURCE...\n"
		"\n"
		"Run a program that serves its profiles, and list those that do:\n"
		"   cpprof run [options] -- PROGRAM [arguments]\n"
		"   cpprof ps\n"
		"\n"
		"A SOURCE is a file (profile.proto, or a format from before it; compressed or not) or the address of a "
		"program\n"
		"that serves profiles: host:port, host:port/debug/pprof/heap, https://..., or a process\n"
		"that carries libcpprof: pid:1234/heap, name:nginx/goroutine (all of that name); several are added up.\n"
		"Find what grew: fetch twice, then `cpprof -base FIRST SECOND`.\n"
		"\n";

static const char rest[] =
		"\n"
		"  Source options:\n"
		"    -seconds N       Ask for a profile of that duration\n"
		"    -timeout N       Give up fetching after N seconds\n"
		"    -base SOURCE     Subtract this profile: what is left is what grew\n"
		"    -diff_base SOURCE  The same with percentages of the base\n"
		"    -buildid ID      Build id of the main binary, where the profile has none\n"
		"    -add_comment TEXT  Add a comment to the profile\n"
		"    -symbolize WORDS Where names come from, separated by ':': none, local, fastlocal (symbol tables only),\n"
		"                     remote (ask the program), force (again), demangle=full|none|templates|default\n"
		"    -unix PATH       Fetch through this socket ('@' in front: abstract)\n"
		"    -tls_cert FILE   Client certificate for https (PEM)\n"
		"    -tls_key FILE    Its private key (PEM)\n"
		"    -tls_ca FILE     Certificates to trust instead of the system's (PEM)\n"
		"    https+insecure://HOST...  https without looking at the server's certificate\n"
		"\n" RUN_OPTIONS "\n"
		"  Misc options:\n"
		"    -all_frames      Keep frames that the profile asks to drop\n"
		"    -tools PATH      Accepted and ignored: binaries are read in process, no tools are started\n"
		"    -version         Print the version\n"
		"    -help            Print this\n"
		"\n"
		"  Legacy convenience options:\n"
		"    -inuse_space     The same as -sample_index=inuse_space\n"
		"    -inuse_objects   The same as -sample_index=inuse_objects\n"
		"    -alloc_space     The same as -sample_index=alloc_space\n"
		"    -alloc_objects   The same as -sample_index=alloc_objects\n"
		"    -total_delay     The same as -sample_index=delay\n"
		"    -contentions     The same as -sample_index=contentions\n"
		"    -mean_delay      The same as -mean -sample_index=delay\n"
		"\n"
		"  Environment variables:\n"
		"    PPROF_TMPDIR       Where fetched profiles are saved (else $HOME/pprof)\n"
		"    PPROF_BINARY_PATH  Where to look for binaries, separated by ':' (else $HOME/pprof/binaries)\n"
		"    HTTP_PROXY, HTTPS_PROXY, NO_PROXY  Proxies for fetching\n"
		"    NO_COLOR           If set, messages on a terminal have no colour\n"
		"\n"
		"More in cpprof(1).\n";

void usage_append_command_line(struct buffer *to)
{
	buffer_append_text(to, forms);
	append_commands_and_options(to, "-");
	buffer_append_text(to, rest);
}

void usage_append_run(struct buffer *to)
{
	buffer_append_text(
			to,
			"usage: cpprof run [options] -- PROGRAM [arguments]\n"
			"\n"
			"Executes PROGRAM with libcpprof preloaded: no rebuild, the same process id. What it serves is read by\n"
			"`cpprof pid:N/heap`, by any pprof, or with a browser at /debug/pprof/.\n"
			"\n" RUN_OPTIONS);
}

void usage_append_ps(struct buffer *to)
{
	buffer_append_text(to, "usage: cpprof ps\n"
	                       "\n"
	                       "Lists the processes that carry libcpprof: pid, name, age, resident memory, threads, and "
	                       "the address where\n"
	                       "they serve (- = their local socket alone). `cpprof pid:N/heap` asks one of them. Root sees "
	                       "everybody's.\n");
}

void usage_append_shell(struct buffer *to)
{
	append_commands_and_options(to, "");
	buffer_append_text(to, "\n  :   Clear focus/ignore/hide/tagfocus/tagignore\n"
	                       "\n  type \"help <command|option>\" for more information\n");
}

static void append_command(struct buffer *to, const struct command *command)
{
	buffer_printf(to, "%s\n  Usage:\n", command->help);
	for (const char *line = command->usage; *line;) {
		size_t length = strcspn(line, "\n");
		buffer_printf(to, "    %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

bool usage_append_topic(struct buffer *to, const char *name, const struct profile *profile)
{
	const struct command *command = command_find(name);
	if (command) {
		append_command(to, command);
		return true;
	}
	const struct config_choice *choice;
	const struct config_field *field = config_field_find(name, &choice);
	if (!field)
		return false;
	buffer_printf(to, "%s\n", choice ? choice->help : field->help);
	if (strcmp(name, "sample_index") == 0) {
		buffer_append_text(to, "This profile has:");
		for (uint32_t k = 0; k < profile->sample_type_count; k++)
			buffer_printf(to, " %.*s", STR_ARG(profile_str(profile, profile->sample_types[k].type)));
		buffer_append_char(to, '\n');
	}
	return true;
}
