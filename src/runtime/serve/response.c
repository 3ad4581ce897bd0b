/* response.c - the head of an answer. Header names in the order of Go's server: sorted, then its own. */
#include "runtime/serve/response.h"

#include "runtime/shared/sys.h"

const char *response_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 301, "Moved Permanently" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Request Entity Too Large" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 505, "HTTP Version Not Supported" },
	};
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/* Days since 1970-01-01 as a date of the Gregorian calendar. Years are counted from March, so that the leap day is the last
 * one, in cycles of 400 years (146,097 days). */
static void date_of_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468; /* since 0000-03-01 */
	int64_t cycle = shifted / 146097, day_of_cycle = shifted % 146097;
	int64_t year = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
	int64_t day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */
	*ret_day = (int)(day_of_year - (153 * month + 2) / 5) + 1;
	*ret_month = (int)(month < 10 ? month + 2 : month - 10); /* 0 = January */
	*ret_year = (int)(year + cycle * 400) + (*ret_month < 2);
}

void response_date(int64_t seconds, struct buffer *to)
{
	static const char weekdays[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year, month, day, second = (int)(seconds % 86400);
	date_of_days(seconds / 86400, &year, &month, &day);
	buffer_printf(to, "%s, %02d %s %04d %02d:%02d:%02d GMT", weekdays[seconds / 86400 % 7], day, months[month], year,
	              second / 3600, second / 60 % 60, second % 60);
}

void response_head(const struct response *response, struct buffer *to)
{
	buffer_printf(to, "HTTP/1.%d %d %s\r\n", response->minor_version ? 1 : 0, response->status,
	              response_reason(response->status));
	if (response->allow)
		buffer_printf(to, "Allow: %s\r\n", response->allow);
	if (response->attachment)
		buffer_printf(to, "Content-Disposition: attachment; filename=\"%s%s\"\r\n", response->attachment,
		              response->attachment_suffix);
	buffer_printf(to, "Content-Type: %s\r\n", response->content_type);
	if (response->location)
		buffer_printf(to, "Location: %s\r\n", response->location);
	if (response->nosniff)
		buffer_append_text(to, "X-Content-Type-Options: nosniff\r\n");
	if (response->of_pprof)
		buffer_append_text(to, "X-Go-Pprof: 1\r\n");
	buffer_append_text(to, "Date: ");
	response_date((int64_t)(clock_ns(CLOCK_REALTIME) / 1000000000u), to);
	buffer_append_text(to, "\r\n");
	if (response->length >= 0)
		buffer_printf(to, "Content-Length: %lld\r\n", (long long)response->length);
	if (response->close)
		buffer_append_text(to, "Connection: close\r\n");
	else if (response->minor_version == 0)
		buffer_append_text(to, "Connection: keep-alive\r\n");
	buffer_append_text(to, "\r\n");
}
