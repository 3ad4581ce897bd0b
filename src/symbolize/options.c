/* options.c - reading "-symbolize": words between colons, in any case. */
#include <string.h>

#include "symbolize/notice.h"

static bool is_word(struct str text, const char *word)
{
	return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* "demangle=MODE"; MODE alone is taken too. */
static bool parse_demangle(struct str word, struct symbolize_options *options)
{
	const char *prefix = "demangle=";
	if (word.length >= strlen(prefix) && strncasecmp(word.data, prefix, strlen(prefix)) == 0)
		word = str_from(word, strlen(prefix));
	if (is_word(word, "default"))
		return true;
	if (is_word(word, "full"))
		options->demangle = DEMANGLE_FULL;
	else if (is_word(word, "templates"))
		options->demangle = DEMANGLE_TEMPLATES;
	else if (is_word(word, "none"))
		options->demangle = DEMANGLE_NONE;
	else
		return false;
	options->force = true;
	return true;
}

void symbolize_options_parse(const char *text, struct symbolize_options *ret_options, bool *ret_remote)
{
	struct symbolize_options options = {
		.local = true,
		.notice = ret_options->notice,
		.notice_arg = ret_options->notice_arg,
	};
	bool remote = true;
	text = text ? text : "";
	for (const char *at = text; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		struct str word = { at, strcspn(at, ":") };
		if (is_word(word, "none") || is_word(word, "no")) {
			options.none = true;
			break;
		}
		if (word.length == 0)
			continue;
		if (is_word(word, "local") || is_word(word, "fastlocal")) {
			remote = false;
			options.local = true;
			options.fast_local |= is_word(word, "fastlocal");
		} else if (is_word(word, "remote")) {
			remote = true;
			options.local = false;
		} else if (is_word(word, "force")) {
			options.force = true;
		} else if (!parse_demangle(word, &options)) {
			notice(&options, "ignoring unrecognized symbolization option: %s", text);
			notice(&options,
			       "expecting "
			       "-symbolize=[local|fastlocal|remote|none][:force][:demangle=[none|full|templates|default]");
		}
	}
	*ret_remote = remote && !options.none;
	*ret_options = options;
}
