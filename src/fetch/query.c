/* query.c - the query of a URL written again: sorted by name, as Go writes it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fetch/escape.h"
#include "fetch/url.h"

struct parameter {
	struct buffer name, value; /* decoded */
	size_t position;           /* equal names keep their order */
};

struct parameters {
	struct parameter *items;
	size_t count;
	size_t capacity;
};

static void parameters_release(struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->count; i++) {
		buffer_release(&parameters->items[i].name);
		buffer_release(&parameters->items[i].value);
	}
	free(parameters->items);
}

/* "name=value", both still escaped; one that cannot be decoded is left out, as is one with ';'. */
static void add_parameter(struct parameters *parameters, struct str text)
{
	if (text.length == 0 || memchr(text.data, ';', text.length))
		return;
	const char *equals = memchr(text.data, '=', text.length);
	size_t name_length = equals ? (size_t)(equals - text.data) : text.length;
	struct parameter parameter = { .position = parameters->count };
	buffer_init(&parameter.name, BUFFER_UNLIMITED);
	buffer_init(&parameter.value, BUFFER_UNLIMITED);
	if (!url_unescape((struct str){ text.data, name_length }, URL_QUERY, &parameter.name) ||
	    !url_unescape(str_from(text, equals ? name_length + 1 : name_length), URL_QUERY, &parameter.value)) {
		buffer_release(&parameter.name);
		buffer_release(&parameter.value);
		return;
	}
	parameters->items = xgrow(parameters->items, parameters->count, &parameters->capacity, sizeof(*parameters->items));
	parameters->items[parameters->count++] = parameter;
}

static void parameters_parse(struct parameters *parameters, struct str query)
{
	while (query.length > 0) {
		const char *end = memchr(query.data, '&', query.length);
		size_t length = end ? (size_t)(end - query.data) : query.length;
		add_parameter(parameters, (struct str){ query.data, length });
		query = str_from(query, end ? length + 1 : length);
	}
}

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *left = a, *right = b;
	int order = str_compare(buffer_str(&left->name), buffer_str(&right->name));
	if (order)
		return order;
	return left->position < right->position ? -1 : 1;
}

static bool is_seconds(const struct parameter *parameter)
{
	return str_equal(buffer_str(&parameter->name), STR_LITERAL("seconds"));
}

static char *first_seconds(const struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->count; i++) {
		if (is_seconds(&parameters->items[i]))
			return xstrdup(buffer_text(&parameters->items[i].value));
	}
	return NULL;
}

static void remove_seconds(struct parameters *parameters)
{
	size_t kept = 0;
	for (size_t i = 0; i < parameters->count; i++) {
		struct parameter *parameter = &parameters->items[i];
		if (is_seconds(parameter)) {
			buffer_release(&parameter->name);
			buffer_release(&parameter->value);
			continue;
		}
		parameters->items[kept++] = *parameter;
	}
	parameters->count = kept;
}

void url_normalize_query(struct url *url, const char *seconds, char **ret_seconds)
{
	struct parameters parameters = { 0 };
	parameters_parse(&parameters, str_of(url->query));
	*ret_seconds = first_seconds(&parameters);
	if (seconds) {
		remove_seconds(&parameters);
		char *text = xasprintf("seconds=%s", seconds);
		add_parameter(&parameters, str_of(text));
		free(text);
	}
	if (parameters.count)
		qsort(parameters.items, parameters.count, sizeof(*parameters.items), compare_parameters);
	struct buffer query;
	buffer_init(&query, BUFFER_UNLIMITED);
	for (size_t i = 0; i < parameters.count; i++) {
		if (i > 0)
			buffer_append_char(&query, '&');
		url_escape(buffer_str(&parameters.items[i].name), URL_QUERY, &query);
		buffer_append_char(&query, '=');
		url_escape(buffer_str(&parameters.items[i].value), URL_QUERY, &query);
	}
	parameters_release(&parameters);
	free(url->query);
	url->query = buffer_take(&query, NULL);
}
