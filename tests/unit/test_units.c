/* test_units.c - quantities as text. The numbers are the reference's answers. */
#include "make_profile.h"

#include "profile/units.h"

static void values_are_scaled(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		const char *from, *to;
		double scaled;
		const char *unit;
	} cases[] = {
		{ 1, "s", "ms", 1000, "ms" },
		{ 1000000000, "nanoseconds", "seconds", 1, "s" },
		{ 1000000000, "ns", "minimum", 1, "s" },
		{ 999999999, "ns", "auto", 999.999999, "ms" },
		{ 7200, "s", "auto", 2, "hrs" },
		{ 3599, "s", "auto", 3599, "s" }, /* no minutes */
		{ 2048, "bytes", "kb", 2, "kB" },
		{ 2048, "B", "auto", 2, "kB" },
		{ 1, "megabyte", "kilobytes", 1024, "kB" },
		{ 3, "PB", "TB", 3072, "TB" },
		{ 5000, "GCU", "auto", 5, "k*GCU" },
		{ 1, "gcu", "microgcus", 1e6, "u*GCU" },
		{ 0, "ns", "auto", 0, "s" },  /* nothing reaches one: the family's default unit */
		{ 5, "ns", "kb", 5e-9, "s" }, /* a unit of another family: the same */
		{ 1, "bytes", "s", 1, "B" },
		{ 3, "frobs", "ms", 3, "ms" }, /* no family: the value is kept, the text is the wanted one */
		{ 3, "frobs", "auto", 3, "" },
		{ 3, "count", "minimum", 3, "" },
		{ 3, "count", "sample", 3, "" },
		{ 3, "count", "unit", 3, "" },
		{ 3, "count", "count", 3, "" },
		{ 3, "", "", 3, "" },
		{ -2048, "bytes", "auto", -2, "kB" },
		{ 1, "S", "MS", 1000, "ms" },      /* case does not matter */
		{ 1, "\xCE\xBCs", "ns", 1, "ns" }, /* μs is longer than two bytes, loses its s, and is unknown then */
		{ 1, "mss", "us", 1000, "us" },    /* one plural s goes, above two letters */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str unit;
		double scaled = unit_scale(cases[i].value, str_of(cases[i].from), str_of(cases[i].to), &unit);
		assert_float_equal(scaled, cases[i].scaled, 1e-9);
		assert_str(unit, cases[i].unit);
	}
}

static void labels_have_two_decimals_at_most(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		const char *from, *to, *text;
	} cases[] = {
		{ 1100, "ms", "s", "1.10s" },
		{ 1000, "ms", "s", "1s" },
		{ 10, "ms", "s", "0.01s" },
		{ 4, "ms", "s", "0" }, /* below a hundredth: no unit either */
		{ 5, "ms", "s", "0.01s" },
		{ -4, "ms", "s", "0" },
		{ -4000, "ms", "s", "-4s" },
		{ 65536000, "bytes", "MB", "62.50MB" },
		{ 1024000, "B", "kb", "1000kB" },
		{ 41, "count", "auto", "41" },
		{ 0, "s", "s", "0" },
		{ 1, "s", "foo", "1s" },
		{ 7, "widgets", "widgets", "7widgets" },
		{ INT64_MAX, "count", "minimum", "9223372036854775808" },
		{ INT64_MIN, "count", "minimum", "-9223372036854775808" },
		{ 9007199254740993, "count", "minimum", "9007199254740992" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[UNIT_LABEL_SIZE];
		size_t length = unit_label(text, cases[i].value, str_of(cases[i].from), str_of(cases[i].to));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(length, strlen(text));
	}
}

static void a_long_unit_is_cut(void **state)
{
	(void)state;
	char unit[2000], text[UNIT_LABEL_SIZE];
	memset(unit, 'u', sizeof(unit));
	size_t length = unit_label(text, 12, STR_LITERAL("x"), (struct str){ unit, sizeof(unit) });
	assert_int_equal(length, UNIT_LABEL_SIZE - 1);
	assert_memory_equal(text, "12uuu", 5);
	assert_int_equal(text[length], '\0');
}

static void percentages_are_six_wide_and_never_negative(void **state)
{
	(void)state;
	static const struct {
		int64_t value, total;
		const char *text;
	} cases[] = {
		{ 100, 100, "  100%" },
		{ 9995, 10000, "  100%" },
		{ 10005, 10000, "  100%" },
		{ 9994, 10000, "99.94%" },
		{ 10006, 10000, "100.06%" },
		{ 1, 100, " 1.00%" },
		{ 89, 10000, " 0.89%" },
		{ 9, 1000, "  0.9%" },
		{ 0, 100, "    0%" },
		{ 5, 0, "    0%" },
		{ -50, 100, "50.00%" },
		{ 50, -100, "50.00%" },
		{ 95, 1000000000000, "9.5e-09%" },
		{ 512, 112, "457.14%" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[PERCENTAGE_SIZE];
		size_t length = percentage_text(text, cases[i].value, cases[i].total);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(length, strlen(text));
	}
}

static void units_of_a_family_are_related(void **state)
{
	(void)state;
	assert_true(units_related(STR_LITERAL("ms"), STR_LITERAL("hours")));
	assert_true(units_related(STR_LITERAL("Kilobytes"), STR_LITERAL("b")));
	assert_false(units_related(STR_LITERAL("ms"), STR_LITERAL("b")));
	assert_false(units_related(STR_LITERAL("count"), STR_LITERAL("count")));
	assert_null(unit_find(STR_LITERAL("minute")).family);
	assert_null(unit_find(STR_LITERAL("day")).family);
	assert_null(unit_find(STR_LITERAL("a name longer than any unit that there is")).family);
	assert_null(unit_find(STR_LITERAL("")).family);
	assert_float_equal(unit_find(STR_LITERAL("ms")).factor, 1e6, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_scaled),
		cmocka_unit_test(labels_have_two_decimals_at_most),
		cmocka_unit_test(a_long_unit_is_cut),
		cmocka_unit_test(percentages_are_six_wide_and_never_negative),
		cmocka_unit_test(units_of_a_family_are_related),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
