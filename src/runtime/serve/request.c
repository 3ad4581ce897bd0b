/* request.c - the reader behind request.h. Strict where leniency helps nobody but an attacker: no folded lines, no bytes
 * that do not belong, one length only. */
#include "runtime/serve/request.h"

#include <string.h>

static enum request_progress bad(struct request *request, int status, const char *problem)
{
	request->status = status;
	request->problem = problem;
	return REQUEST_BAD;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* `word` in lower case. */
static bool equals_ignoring_case(struct str text, const char *word)
{
	size_t length = strlen(word);
	if (text.length != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (lower(text.data[i]) != word[i])
			return false;
	return true;
}

/* A character of a method's or a header's name (RFC 9110, 5.6.2). */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!is_token_char(text.data[i]))
			return false;
	return text.length > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str trim(struct str text)
{
	while (text.length && is_blank(text.data[0]))
		text = str_from(text, 1);
	while (text.length && is_blank(text.data[text.length - 1]))
		text.length--;
	return text;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- request line --------------------------------------------------------------------------------------------------- */

static enum request_method method_of(struct str name)
{
	if (str_equal(name, STR_LITERAL("GET")))
		return METHOD_GET;
	if (str_equal(name, STR_LITERAL("HEAD")))
		return METHOD_HEAD;
	if (str_equal(name, STR_LITERAL("POST")))
		return METHOD_POST;
	return METHOD_OTHER;
}

static enum request_progress read_version(struct request *request, struct str version)
{
	if (version.length != 8 || memcmp(version.data, "HTTP/", 5) != 0 || !is_digit(version.data[5]) ||
	    version.data[6] != '.' || !is_digit(version.data[7]))
		return bad(request, 400, "malformed HTTP version");
	if (version.data[5] != '1')
		return bad(request, 505, "unsupported protocol version");
	request->minor_version = version.data[7] - '0';
	request->keep_alive = request->minor_version >= 1;
	return REQUEST_MORE;
}

static enum request_progress read_request_line(struct request *request, const char *bytes, struct str line)
{
	const char *space = memchr(line.data, ' ', line.length);
	if (!space)
		return bad(request, 400, "malformed request line");
	struct str method = { line.data, (size_t)(space - line.data) };
	struct str rest = str_from(line, method.length + 1);
	const char *second = memchr(rest.data, ' ', rest.length);
	if (!is_token(method) || !second || second == rest.data)
		return bad(request, 400, "malformed request line");
	struct str target = { rest.data, (size_t)(second - rest.data) };
	for (size_t i = 0; i < target.length; i++)
		if (target.data[i] <= ' ' || target.data[i] == 0x7f)
			return bad(request, 400, "invalid character in the request target");
	request->method = method_of(method);
	request->target = (struct span){ (uint32_t)(target.data - bytes), (uint32_t)target.length };
	return read_version(request, str_from(rest, target.length + 1));
}

/* --- header --------------------------------------------------------------------------------------------------------- */

static enum request_progress read_content_length(struct request *request, struct str value)
{
	size_t length = 0;
	for (size_t i = 0; i < value.length; i++) {
		if (!is_digit(value.data[i]))
			return bad(request, 400, "malformed Content-Length");
		if (length <= REQUEST_BODY_MAX)
			length = length * 10 + (size_t)(value.data[i] - '0');
	}
	bool repeated = request->has_body;
	if (value.length == 0 || (repeated && (request->stage != STAGE_PLAIN_BODY || request->remaining != length)))
		return bad(request, 400, "malformed Content-Length");
	request->has_body = true;
	request->stage = STAGE_PLAIN_BODY;
	request->remaining = length;
	return REQUEST_MORE;
}

static enum request_progress read_transfer_encoding(struct request *request, struct str value)
{
	if (!equals_ignoring_case(value, "chunked"))
		return bad(request, 501, "unsupported transfer encoding");
	if (request->has_body || request->minor_version == 0)
		return bad(request, 400, "a body must have one length");
	request->has_body = true;
	request->stage = STAGE_CHUNK_SIZE;
	return REQUEST_MORE;
}

/* A list of words; "close" wins over "keep-alive". */
static void read_connection(struct request *request, struct str value)
{
	bool close = false, keep = false;
	while (value.length) {
		const char *comma = memchr(value.data, ',', value.length);
		size_t length = comma ? (size_t)(comma - value.data) : value.length;
		struct str word = trim((struct str){ value.data, length });
		close |= equals_ignoring_case(word, "close");
		keep |= equals_ignoring_case(word, "keep-alive");
		value = str_from(value, comma ? length + 1 : length);
	}
	if (close)
		request->keep_alive = false;
	else if (keep && request->minor_version == 0)
		request->keep_alive = true;
}

static enum request_progress read_field(struct request *request, const char *bytes, struct str name, struct str value)
{
	if (equals_ignoring_case(name, "content-length"))
		return read_content_length(request, value);
	if (equals_ignoring_case(name, "transfer-encoding"))
		return read_transfer_encoding(request, value);
	if (equals_ignoring_case(name, "connection")) {
		read_connection(request, value);
	} else if (equals_ignoring_case(name, "expect")) {
		if (!equals_ignoring_case(value, "100-continue"))
			return bad(request, 417, NULL);
		request->expect_continue = request->minor_version >= 1;
	} else if (equals_ignoring_case(name, "host")) {
		if (request->has_host)
			return bad(request, 400, "too many Host headers");
		request->has_host = true;
		request->host = (struct span){ (uint32_t)(value.data - bytes), (uint32_t)value.length };
	}
	return REQUEST_MORE;
}

static enum request_progress read_header_line(struct request *request, const char *bytes, struct str line)
{
	const char *colon = memchr(line.data, ':', line.length);
	if (!colon)
		return bad(request, 400, "malformed header line");
	struct str name = { line.data, (size_t)(colon - line.data) };
	struct str value = trim(str_from(line, name.length + 1));
	if (!is_token(name)) /* a folded line starts with a blank, which is none */
		return bad(request, 400, "malformed header name");
	for (size_t i = 0; i < value.length; i++)
		if (((unsigned char)value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
			return bad(request, 400, "invalid character in a header");
	return read_field(request, bytes, name, value);
}

static enum request_progress end_head(struct request *request)
{
	request->head_length = request->next;
	if (request->minor_version >= 1 && !request->has_host)
		return bad(request, 400, "missing required Host header");
	if (request->stage == STAGE_PLAIN_BODY && request->remaining > REQUEST_BODY_MAX)
		return bad(request, 413, NULL);
	request->has_body = request->stage == STAGE_CHUNK_SIZE || request->remaining > 0;
	if (!request->has_body)
		request->stage = STAGE_DONE;
	return REQUEST_MORE;
}

/* The line that starts at `start`, without its end; false: it is not all there. Lines end in LF, with or without a CR. */
static bool take_line(struct request *request, const char *bytes, size_t length, struct str *ret_line)
{
	const char *end = length > request->next ? memchr(bytes + request->next, '\n', length - request->next) : NULL;
	if (!end) {
		request->next = length;
		return false;
	}
	request->next = (size_t)(end - bytes) + 1;
	size_t line_length = (size_t)(end - bytes) - request->line_start;
	if (line_length && end[-1] == '\r')
		line_length--;
	*ret_line = (struct str){ bytes + request->line_start, line_length };
	request->line_start = request->next;
	return true;
}

/* While the head is read, `stage` already says what kind of body will follow; head_length 0 that it is the head. */
static enum request_progress read_head(struct request *request, const char *bytes, size_t length)
{
	struct str line;
	enum request_progress progress = REQUEST_MORE;
	while (progress == REQUEST_MORE && !request->head_length) {
		bool whole = take_line(request, bytes, length, &line);
		bool first = request->target.length == 0;
		size_t used = whole ? request->next : length;
		if (used > REQUEST_HEAD_MAX || (first && used > REQUEST_LINE_MAX))
			return bad(request, 431, NULL);
		if (!whole)
			return REQUEST_MORE;
		if (first && line.length == 0)
			continue; /* empty lines in front are to be forgiven */
		if (first)
			progress = read_request_line(request, bytes, line);
		else if (line.length)
			progress = read_header_line(request, bytes, line);
		else
			progress = end_head(request);
	}
	return progress;
}

/* --- body ----------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum request_progress read_chunk_size(struct request *request, struct str line)
{
	size_t size = 0, digits = 0;
	for (; digits < line.length && hex_digit(line.data[digits]) >= 0; digits++)
		if (size <= REQUEST_BODY_MAX)
			size = size * 16 + (size_t)hex_digit(line.data[digits]);
	struct str rest = trim(str_from(line, digits));
	if (digits == 0 || (rest.length && rest.data[0] != ';'))
		return bad(request, 400, "malformed chunk");
	if (size > REQUEST_BODY_MAX - request->body_length)
		return bad(request, 413, NULL);
	request->remaining = size;
	request->stage = size ? STAGE_CHUNK_DATA : STAGE_TRAILER;
	return REQUEST_MORE;
}

static enum request_progress read_chunk_line(struct request *request, const char *bytes, size_t length)
{
	struct str line;
	size_t start = request->line_start;
	bool whole = take_line(request, bytes, length, &line);
	size_t used = request->next - start;
	if (request->stage == STAGE_TRAILER) {
		if (request->trailer_length + used > REQUEST_TRAILER_MAX)
			return bad(request, 431, NULL);
		if (whole) {
			request->trailer_length += used;
			request->stage = line.length ? STAGE_TRAILER : STAGE_DONE;
		}
		return REQUEST_MORE;
	}
	if (used > REQUEST_CHUNK_LINE_MAX)
		return bad(request, 400, "malformed chunk");
	if (!whole)
		return REQUEST_MORE;
	if (request->stage == STAGE_CHUNK_SIZE)
		return read_chunk_size(request, line);
	if (line.length)
		return bad(request, 400, "malformed chunk");
	request->stage = STAGE_CHUNK_SIZE;
	return REQUEST_MORE;
}

/* As much of the body, or of the chunk, as is there, moved to where the body ends. */
static void take_data(struct request *request, char *bytes, size_t length)
{
	size_t there = length - request->next;
	if (there > request->remaining)
		there = request->remaining;
	char *end = bytes + request->head_length + request->body_length;
	if (end != bytes + request->next)
		memmove(end, bytes + request->next, there);
	request->body_length += there;
	request->next += there;
	request->line_start = request->next;
	request->remaining -= there;
	if (!request->remaining)
		request->stage = request->stage == STAGE_PLAIN_BODY ? STAGE_DONE : STAGE_CHUNK_END;
}

/* What has not been looked at moves up to the body, so that the framing of small chunks takes no room. */
static void close_gap(struct request *request, char *bytes, size_t *length)
{
	size_t body_end = request->head_length + request->body_length, gap = request->line_start - body_end;
	if (!gap)
		return;
	memmove(bytes + body_end, bytes + request->line_start, *length - request->line_start);
	*length -= gap;
	request->next -= gap;
	request->line_start -= gap;
}

enum request_progress request_read(struct request *request, char *bytes, size_t *length)
{
	enum request_progress progress = REQUEST_MORE;
	if (!request->head_length)
		progress = read_head(request, bytes, *length);
	if (progress != REQUEST_MORE || !request->head_length)
		return progress;
	size_t before;
	do {
		before = request->next;
		if (request->stage == STAGE_PLAIN_BODY || request->stage == STAGE_CHUNK_DATA)
			take_data(request, bytes, *length);
		else if (request->stage != STAGE_DONE)
			progress = read_chunk_line(request, bytes, *length);
	} while (progress == REQUEST_MORE && request->stage != STAGE_DONE && request->next != before);
	close_gap(request, bytes, length);
	if (progress == REQUEST_BAD)
		return progress;
	return request->stage == STAGE_DONE ? REQUEST_COMPLETE : REQUEST_MORE;
}

bool request_wants_body(const struct request *request)
{
	return request->head_length && request->stage != STAGE_DONE;
}
