/* line_input.c - libedit on a terminal, getline elsewhere. */
#include "cli/line_input.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/completion.h"

#define HISTORY_LINES 500
#define SHOWN_CANDIDATES 200

struct line_input {
	const struct profile *profile;
	EditLine *editor; /* NULL: plain input */
	History *history;
	char *history_path;
	char *line;
	size_t line_size;
};

static char *prompt(EditLine *editor)
{
	static char text[] = "(pprof) ";
	(void)editor;
	return text;
}

/* --- Tab -------------------------------------------------------------------------------------------------------------- */

static void show_candidates(const struct completion *completion)
{
	struct winsize size;
	int columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
	size_t shown = completion->count < SHOWN_CANDIDATES ? completion->count : SHOWN_CANDIDATES;
	int width = 0;
	for (size_t i = 0; i < shown; i++) {
		int length = (int)strlen(completion->candidates[i]) + 2;
		width = length > width ? length : width;
	}
	int per_line = width > 0 && width < columns ? columns / width : 1;
	putchar('\n');
	for (size_t i = 0; i < shown; i++) {
		bool last = (int)(i % (size_t)per_line) == per_line - 1 || i + 1 == shown;
		printf("%-*s%s", last ? 0 : width, completion->candidates[i], last ? "\n" : "");
	}
	if (shown < completion->count)
		printf("... and %zu more\n", completion->count - shown);
	fflush(stdout);
}

/* Puts what is certain in the place of the word; returns whether anything changed. */
static bool insert_common(EditLine *editor, const char *line, const struct completion *completion)
{
	const char *word = line + completion->word_start;
	size_t common = completion_common_length(completion), length = strlen(word);
	bool whole = completion->count == 1;
	if (!whole && (common <= length || strncasecmp(completion->candidates[0], word, length) != 0))
		return false;
	char *text = xasprintf("%.*s%s", (int)common, completion->candidates[0], whole ? " " : "");
	el_deletestr(editor, (int)length);
	bool inserted = el_insertstr(editor, text) == 0;
	free(text);
	return inserted;
}

static unsigned char complete(EditLine *editor, int key)
{
	(void)key;
	struct line_input *input;
	el_get(editor, EL_CLIENTDATA, &input);
	const LineInfo *info = el_line(editor);
	char *line = xstrndup(info->buffer, (size_t)(info->cursor - info->buffer));
	struct completion completion;
	completion_find(&completion, line, input->profile);
	unsigned char result = CC_ERROR;
	if (completion.count > 0 && insert_common(editor, line, &completion)) {
		result = CC_REFRESH;
	} else if (completion.count > 1) {
		show_candidates(&completion);
		result = CC_REDISPLAY;
	}
	completion_release(&completion);
	free(line);
	return result;
}

/* --- history ---------------------------------------------------------------------------------------------------------- */

/* Creates the directories of the path; failing is noticed when the file cannot be written, and then there is no history. */
static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

static char *find_history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (state && *state == '/')
		return xasprintf("%s/cpprof/history", state);
	if (home && *home == '/')
		return xasprintf("%s/.local/state/cpprof/history", home);
	return NULL;
}

static void history_open(struct line_input *input)
{
	HistEvent event;
	input->history = history_init();
	if (!input->history)
		return;
	history(input->history, &event, H_SETSIZE, HISTORY_LINES);
	history(input->history, &event, H_SETUNIQUE, 1);
	el_set(input->editor, EL_HIST, history, input->history);
	input->history_path = find_history_path();
	if (input->history_path)
		history(input->history, &event, H_LOAD, input->history_path);
}

static void history_close(struct line_input *input)
{
	if (input->history)
		history_end(input->history);
	free(input->history_path);
}

/* Saved with every line: the shell may be ended by a signal while a report is printed. */
static void remember(struct line_input *input, const char *line)
{
	HistEvent event;
	if (!input->history || !line[strspn(line, " \t\n")])
		return;
	history(input->history, &event, H_ENTER, line);
	if (input->history_path) {
		/* Beside and renamed: a kill in the middle must not cost the whole history. */
		char *beside = xasprintf("%s.%ld", input->history_path, (long)getpid());
		make_parents(input->history_path);
		mode_t mask = umask(077);
		if (history(input->history, &event, H_SAVE, beside) < 0 || rename(beside, input->history_path) != 0)
			unlink(beside);
		umask(mask);
		free(beside);
	}
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

/* libedit drops characters that the locale does not have. Only LC_CTYPE is set: numbers stay as they are. */
static void choose_characters(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

struct line_input *line_input_new(const struct profile *profile)
{
	struct line_input *input = xcalloc(1, sizeof(*input));
	input->profile = profile;
	const char *terminal = getenv("TERM");
	bool can_edit =
			isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
	if (can_edit)
		choose_characters();
	input->editor = can_edit ? el_init("cpprof", stdin, stdout, stderr) : NULL;
	if (!input->editor)
		return input;
	el_set(input->editor, EL_CLIENTDATA, input);
	el_set(input->editor, EL_PROMPT, prompt);
	el_set(input->editor, EL_EDITOR, "emacs");
	el_set(input->editor, EL_SIGNAL, 1);
	el_set(input->editor, EL_ADDFN, "cpprof-complete", "Complete commands, options and functions", complete);
	el_set(input->editor, EL_BIND, "^I", "cpprof-complete", NULL);
	el_set(input->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	history_open(input);
	el_source(input->editor, NULL); /* the user's own bindings */
	return input;
}

void line_input_free(struct line_input *input)
{
	if (input->editor) {
		history_close(input);
		el_end(input->editor);
	}
	free(input->line);
	free(input);
}

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* ^C gives up the line and leaves the shell alone. Only while a line is edited: a report is ended by it as ever. */
static const char *edit_line(struct line_input *input, int *ret_length)
{
	struct sigaction noting = { .sa_handler = note_interrupt }, before;
	sigaction(SIGINT, &noting, &before);
	const char *line;
	do {
		interrupted = 0;
		line = el_gets(input->editor, ret_length);
		if (!line && interrupted) {
			putchar('\n');
			fflush(stdout);
			el_reset(input->editor);
		}
	} while (!line && interrupted);
	sigaction(SIGINT, &before, NULL);
	return line;
}

static const char *read_edited(struct line_input *input)
{
	int length = 0;
	const char *line = edit_line(input, &length);
	if (!line || length <= 0)
		return NULL;
	remember(input, line);
	free(input->line);
	input->line = xstrndup(line, (size_t)length);
	return input->line;
}

const char *line_input_read(struct line_input *input)
{
	if (input->editor) {
		if (!read_edited(input)) {
			putchar('\n'); /* the prompt of a shell that was left by ^D */
			fflush(stdout);
			return NULL;
		}
	} else {
		if (isatty(STDIN_FILENO)) {
			fputs("(pprof) ", stdout);
			fflush(stdout);
		}
		if (getline(&input->line, &input->line_size, stdin) < 0)
			return NULL;
	}
	input->line[strcspn(input->line, "\n")] = '\0';
	return input->line;
}
