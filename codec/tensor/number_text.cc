/*
 * The one file in C++: std::to_chars and std::from_chars are the well-kept code for the shortest
 * decimal of a float and for the float nearest to a decimal, and C has no such functions.
 *
 * They know float and double. A smaller float is written as the float32 that is the shortest
 * decimal of it, and read as a double; where that double lies exactly between two small floats,
 * the word itself is asked on which side of it the number is, for the double was rounded already.
 */
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <system_error>

extern "C" {
#include "codec/tensor/dtype.h"
#include "codec/tensor/number_text.h"
#include "codec/tensor/small_float.h"
}

namespace
{

enum class sort : uint8_t { none, truth, integer, natural, float32, float64, small };

/* How the elements of a dtype are written. A pair is a complex number. */
struct form {
	sort of;
	uint8_t bits, width;
	bool pair;
};

constexpr form forms[DTYPE_LAST + 1] = {
	{},				/* invalid */
	{sort::float32, 32, 15, false}, /* float32 */
	{sort::float64, 64, 24, false}, /* float64 */
	{sort::integer, 32, 11, false}, /* int32 */
	{sort::natural, 8, 3, false},	/* uint8 */
	{sort::integer, 16, 6, false},	/* int16 */
	{sort::integer, 8, 4, false},	/* int8 */
	{},				/* string */
	{sort::float32, 32, 31, true},	/* complex64 */
	{sort::integer, 64, 20, false}, /* int64 */
	{sort::truth, 8, 1, false},	/* bool */
	{sort::integer, 8, 4, false},	/* qint8 */
	{sort::natural, 8, 3, false},	/* quint8 */
	{sort::integer, 32, 11, false}, /* qint32 */
	{sort::small, 16, 10, false},	/* bfloat16 */
	{sort::integer, 16, 6, false},	/* qint16 */
	{sort::natural, 16, 5, false},	/* quint16 */
	{sort::natural, 16, 5, false},	/* uint16 */
	{sort::float64, 64, 49, true},	/* complex128 */
	{sort::small, 16, 11, false},	/* float16 */
	{},				/* resource */
	{},				/* variant */
	{sort::natural, 32, 10, false}, /* uint32 */
	{sort::natural, 64, 20, false}, /* uint64 */
	{sort::small, 8, 8, false},	/* float8_e5m2 */
	{sort::small, 8, 6, false},	/* float8_e4m3fn */
	{sort::small, 8, 6, false},	/* float8_e4m3fnuz */
	{sort::small, 8, 7, false},	/* float8_e4m3b11fnuz */
	{sort::small, 8, 8, false},	/* float8_e5m2fnuz */
	{sort::integer, 4, 2, false},	/* int4 */
	{sort::natural, 4, 2, false},	/* uint4 */
	{sort::integer, 2, 2, false},	/* int2 */
	{sort::natural, 2, 1, false},	/* uint2 */
	{sort::small, 4, 4, false},	/* float4_e2m1fn */
};

const form &form_of(uint32_t dtype)
{
	return forms[dtype <= DTYPE_LAST ? dtype : 0U];
}

uint64_t load(const uint8_t *p, size_t size)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < size; i++)
		bits |= static_cast<uint64_t>(p[i]) << (8 * i);
	return bits;
}

void store(uint8_t *p, size_t size, uint64_t bits)
{
	for (size_t i = 0; i < size; i++)
		p[i] = static_cast<uint8_t>(bits >> (8 * i));
}

template <typename To, typename From> To bits_as(From from)
{
	To to;

	static_assert(sizeof(to) == sizeof(from));
	memcpy(&to, &from, sizeof(to));
	return to;
}

/* ---- writing; each function answers where its text ends ---- */

constexpr size_t text_max = 32; /* of a real number */

template <typename Float> char *put_float(char *to, Float v)
{
	if (std::isnan(v)) {
		memcpy(to, "nan", 3);
		return to + 3;
	}
	return std::to_chars(to, to + text_max, v).ptr;
}

double power_of_ten(int n)
{
	static constexpr double powers[] = {
		1e0,  1e1,  1e2,  1e3,	1e4,  1e5,  1e6,  1e7,	1e8,  1e9,  1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23,
		1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35,
		1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45,
	};

	return powers[n];
}

double scale(double v, int power)
{
	return power < 0 ? v / power_of_ten(-power) : v * power_of_ten(power);
}

/* The power of ten of the first digit of v, which is positive and normal. */
int decimal_exponent(double v)
{
	int binary = static_cast<int>(bits_as<uint64_t>(v) >> 52) - 1023;
	int least = binary * 1233 >> 12; /* 1233 / 4096 is log10(2), nearly */

	return v >= scale(1, least + 1) ? least + 1 : least;
}

/*
 * The decimal with the fewest digits between the neighbours' halfway points, and of those the
 * nearest to the value. What is computed inexactly here is right for each number of each dtype:
 * the tests try them all.
 */
double shortest_near(const small_float *f, unsigned magnitude)
{
	double v = small_float_value(f, magnitude);
	double low = (v + small_float_value(f, magnitude - 1)) / 2;
	double high = (v + small_float_value(f, magnitude + 1)) / 2;
	bool ends = magnitude % 2 == 0; /* a tie goes to the even one */
	int exponent = decimal_exponent(v);

	for (int power = -exponent; power < 5 - exponent; power++) {
		double scaled = scale(v, power), nearest = static_cast<int>(scaled + 0.5);
		double from = scale(low, power), to = scale(high, power);

		for (double digits : {nearest, nearest + (nearest < scaled ? 1 : -1)})
			if (ends ? digits >= from && digits <= to : digits > from && digits < to)
				return scale(digits, -power);
	}
	return v;
}

char *put_small(char *to, const small_float *f, unsigned bits)
{
	unsigned sign = small_float_sign(f), magnitude = bits & (sign - 1);
	double v = small_float_widen(f, bits);
	char exact[text_max], *end, *exact_end;
	double near;

	if (!std::isfinite(v) || !magnitude)
		return put_float(to, static_cast<float>(v));
	near = shortest_near(f, magnitude);
	end = put_float(to, static_cast<float>(bits & sign ? -near : near));
	if (std::trunc(v) != v)
		return end;
	/* 8192 is no longer than 8190, which is a float16 of the same bits. */
	exact_end = put_float(exact, static_cast<float>(v));
	if (exact_end - exact > end - to)
		return end;
	memcpy(to, exact, static_cast<size_t>(exact_end - exact));
	return to + (exact_end - exact);
}

char *put_real(char *to, uint32_t dtype, const form &how, uint64_t bits)
{
	unsigned unused = 64U - how.bits;

	switch (how.of) {
	case sort::float32: return put_float(to, bits_as<float>(static_cast<uint32_t>(bits)));
	case sort::float64: return put_float(to, bits_as<double>(bits));
	case sort::small: return put_small(to, small_float_of(dtype), static_cast<unsigned>(bits));
	case sort::integer:
		return std::to_chars(to, to + text_max,
				     static_cast<int64_t>(bits << unused) >> unused)
			.ptr;
	case sort::natural: return std::to_chars(to, to + text_max, bits << unused >> unused).ptr;
	default: *to = bits ? '1' : '0'; return to + 1;
	}
}

char *put(char *to, uint32_t dtype, const form &how, const uint8_t *element)
{
	size_t size = dtype_size(dtype) >> how.pair;
	char *end = put_real(to, dtype, how, load(element, size));
	char *imaginary = end;

	if (!how.pair)
		return end;
	end = put_real(imaginary + 1, dtype, how, load(element + size, size));
	if (imaginary[1] == '-')
		memmove(imaginary, imaginary + 1, static_cast<size_t>(end-- - imaginary - 1));
	else
		*imaginary = '+';
	*end = 'j';
	return end + 1;
}

/* Copies of a fixed size take no calls: most floats have 8 to 16 characters. */
void align(const char *text, size_t n, size_t width, char *out)
{
	if (n < 8 || width > 16) {
		memset(out, ' ', width - n);
		memcpy(out + width - n, text, n);
		return;
	}
	memset(out, ' ', 8);
	memcpy(out + width - n, text, 8);
	memcpy(out + width - 8, text + n - 8, 8);
}

/* ---- reading ---- */

/* A part of a word. */
struct chars {
	const char *p, *end;

	bool empty() const
	{
		return p == end;
	}
	/* Drops the first character, if it is that one. */
	bool take(char c)
	{
		return !empty() && *p == c && p++;
	}
};

/*
 * A decimal as it is spelled: its digits from the first that is no zero on, and the power of ten
 * that this one stands for. A point may be among them.
 */
struct decimal {
	chars digits;
	int64_t power;
	bool negative;

	int next()
	{
		digits.take('.');
		return digits.empty() ? 0 : *digits.p++ - '0';
	}
};

bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What stands behind the e; saturated, far above the length of any word. */
bool scan_exponent(chars s, int64_t *ret)
{
	constexpr int64_t huge = 1000000000;
	bool negative = s.take('-');
	int64_t v = 0;

	if (!negative)
		s.take('+');
	if (s.empty())
		return false;
	for (; !s.empty(); s.p++) {
		if (!is_digit(*s.p))
			return false;
		v = v < huge ? v * 10 + (*s.p - '0') : huge;
	}
	*ret = negative ? -v : v;
	return true;
}

/* False: it is no decimal. */
bool scan(chars s, decimal *ret)
{
	const char *point = nullptr, *first = nullptr;
	int64_t exponent = 0;
	bool any = false;

	ret->negative = s.take('-');
	if (!ret->negative)
		s.take('+');
	for (; !s.empty() && (is_digit(*s.p) || (*s.p == '.' && !point)); s.p++) {
		any |= *s.p != '.';
		if (*s.p == '.')
			point = s.p;
		else if (*s.p != '0' && !first)
			first = s.p;
	}
	ret->digits = {first ? first : s.p, s.p};
	if (!any || (!s.empty() && *s.p != 'e' && *s.p != 'E'))
		return false;
	if (!s.empty() && !scan_exponent({s.p + 1, s.end}, &exponent))
		return false;
	if (!point)
		point = s.p;
	ret->power = exponent + (point - ret->digits.p) - (point > ret->digits.p);
	return true;
}

/* <0, 0, >0: the size of the number, which is not zero, against v. Exact. */
int compare(decimal number, double v)
{
	char text[200]; /* of v, all of it: it lies between two small floats */
	chars exact = {text, std::to_chars(text, text + sizeof(text), v,
					   std::chars_format::scientific, 180)
				     .ptr};
	decimal other = {};

	(void)scan(exact, &other);
	if (number.power != other.power)
		return number.power < other.power ? -1 : 1;
	while (!number.digits.empty() || !other.digits.empty()) {
		int difference = number.next() - other.next();

		if (difference)
			return difference;
	}
	return 0;
}

/* Capitals are the same; word has none. */
bool same_letters(chars s, const char *word)
{
	for (; *word && !s.empty() && (*s.p | 0x20) == *word; s.p++)
		word++;
	return !*word && s.empty();
}

/* The words that stand for no number: 0 none of them, 'n' nan, 'i' inf. */
char special(chars s, bool *ret_negative)
{
	static constexpr char words[][9] = {"nan", "inf", "infinity"};

	*ret_negative = s.take('-');
	if (!*ret_negative)
		s.take('+');
	for (const char *word : words)
		if (same_letters(s, word))
			return word[0];
	return 0;
}

template <typename Float> number_text_fault parse_float(chars s, const decimal &number, Float *ret)
{
	Float v = 0;
	std::errc error;

	s.take('+');
	error = std::from_chars(s.p, s.end, v).ec;
	if (error == std::errc::result_out_of_range && number.power < 0)
		v = number.negative ? -Float(0) : Float(0);
	else if (error == std::errc::result_out_of_range || std::isinf(v))
		return NUMBER_TEXT_RANGE;
	*ret = v;
	return NUMBER_TEXT_GOOD;
}

number_text_fault parse_small(const small_float *f, chars s, const decimal &number, uint64_t *ret)
{
	unsigned largest = small_float_largest(f), magnitude;
	double v, rest;
	number_text_fault fault = parse_float(s, number, &v);

	if (fault != NUMBER_TEXT_GOOD)
		return fault;
	v = std::fabs(v);
	if (v > 2 * small_float_value(f, largest))
		return NUMBER_TEXT_RANGE;
	magnitude = small_float_below(f, v, &rest);
	if (rest == 0.5) {
		int side = compare(number, v);

		magnitude += side > 0 || (side == 0 && magnitude % 2);
	} else {
		magnitude += rest > 0.5;
	}
	if (magnitude > largest)
		return NUMBER_TEXT_RANGE;
	*ret = magnitude;
	if (number.negative && (magnitude || f->special != SMALL_FINITE_UNSIGNED_ZERO))
		*ret |= small_float_sign(f);
	return NUMBER_TEXT_GOOD;
}

number_text_fault parse_integer(const form &how, decimal number, uint64_t *ret)
{
	uint64_t limit = UINT64_MAX >> (64 - how.bits), v = 0;

	if (how.of == sort::integer)
		limit = limit / 2 + number.negative;
	else if (number.negative)
		limit = 0;
	else if (how.of == sort::truth)
		limit = 1;
	for (int64_t power = number.power; !number.digits.empty(); power--) {
		auto digit = static_cast<uint64_t>(number.next());

		if (power < 0 && digit)
			return NUMBER_TEXT_FRACTION;
		if (power >= 0 &&
		    (__builtin_mul_overflow(v, 10U, &v) || __builtin_add_overflow(v, digit, &v)))
			return NUMBER_TEXT_RANGE;
		if (v > limit)
			return NUMBER_TEXT_RANGE;
		number.power = power;
	}
	for (; v && number.power > 0; number.power--)
		if (__builtin_mul_overflow(v, 10U, &v) || v > limit)
			return NUMBER_TEXT_RANGE;
	*ret = number.negative ? -v : v;
	return NUMBER_TEXT_GOOD;
}

/* nan and inf, where the dtype has them. */
number_text_fault parse_special(uint32_t dtype, const form &how, char which, bool negative,
				uint64_t *ret)
{
	double v = which == 'n' ? NAN : negative ? -INFINITY : INFINITY;
	const small_float *f = small_float_of(dtype);
	int bits;

	switch (how.of) {
	case sort::float32: *ret = bits_as<uint32_t>(static_cast<float>(v)); break;
	case sort::float64: *ret = bits_as<uint64_t>(v); break;
	case sort::small:
		bits = which == 'n' ? small_float_nan(f) : small_float_infinity(f);
		if (bits < 0)
			return NUMBER_TEXT_SPECIAL;
		*ret = static_cast<unsigned>(bits);
		if (which == 'i' && negative)
			*ret |= small_float_sign(f);
		break;
	default: return NUMBER_TEXT_SPECIAL;
	}
	return NUMBER_TEXT_GOOD;
}

number_text_fault parse_real(uint32_t dtype, const form &how, chars s, uint64_t *ret)
{
	number_text_fault fault;
	decimal number;
	bool negative;
	char which = special(s, &negative);
	double wide;
	float single;

	if (which)
		return parse_special(dtype, how, which, negative, ret);
	if (!scan(s, &number))
		return NUMBER_TEXT_NONE;
	switch (how.of) {
	case sort::float32:
		fault = parse_float(s, number, &single);
		if (fault == NUMBER_TEXT_GOOD)
			*ret = bits_as<uint32_t>(single);
		return fault;
	case sort::float64:
		fault = parse_float(s, number, &wide);
		if (fault == NUMBER_TEXT_GOOD)
			*ret = bits_as<uint64_t>(wide);
		return fault;
	case sort::small: return parse_small(small_float_of(dtype), s, number, ret);
	default: return parse_integer(how, number, ret);
	}
}

/* Cuts re+imj in two; either may be missing, and is empty then. False: neither is there. */
bool cut_pair(chars s, chars *ret_real, chars *ret_imaginary)
{
	const char *cut;

	if (!s.empty() && *s.p == '(' && s.end[-1] == ')' && s.end - s.p > 1)
		s = {s.p + 1, s.end - 1};
	*ret_real = s;
	*ret_imaginary = {s.end, s.end};
	if (s.empty() || (s.end[-1] != 'j' && s.end[-1] != 'J'))
		return !s.empty();
	/* The sign between the two is the last one that belongs to no exponent. */
	for (cut = s.end - 1; cut > s.p; cut--)
		if ((*cut == '+' || *cut == '-') && cut[-1] != 'e' && cut[-1] != 'E')
			break;
	*ret_imaginary = {cut, s.end - 1};
	*ret_real = {s.p, cut};
	if (cut > s.p + 1 && *cut == '-' && cut[-1] == '+')
		ret_real->end--;
	return !ret_imaginary->empty();
}

number_text_fault parse_pair(uint32_t dtype, const form &how, chars s, uint64_t *ret)
{
	chars part[2];

	if (!cut_pair(s, &part[0], &part[1]))
		return NUMBER_TEXT_NONE;
	for (int i = 0; i < 2; i++) {
		number_text_fault fault = NUMBER_TEXT_GOOD;

		ret[i] = 0;
		if (!part[i].empty())
			fault = parse_real(dtype, how, part[i], &ret[i]);
		if (fault != NUMBER_TEXT_GOOD)
			return fault;
	}
	return NUMBER_TEXT_GOOD;
}

} // namespace

uint32_t number_text_width(uint32_t dtype)
{
	return form_of(dtype).width;
}

void number_text_format(uint32_t dtype, const uint8_t *element, char *out)
{
	const form &how = form_of(dtype);
	char text[2 * text_max], *end;

	if (how.of == sort::float32 && !how.pair) /* what nearly all models are made of */
		end = put_float(text, bits_as<float>(static_cast<uint32_t>(load(element, 4))));
	else
		end = put(text, dtype, how, element);
	align(text, static_cast<size_t>(end - text), how.width, out);
}

bool number_text_alike(uint32_t dtype, const uint8_t *a, const uint8_t *b)
{
	const form &how = form_of(dtype);
	char left[2 * text_max], right[2 * text_max];
	auto n = put(left, dtype, how, a) - left;

	return put(right, dtype, how, b) - right == n &&
	       memcmp(left, right, static_cast<size_t>(n)) == 0;
}

number_text_fault number_text_parse(uint32_t dtype, const char *word, size_t n,
				    uint8_t *ret_element)
{
	const form &how = form_of(dtype);
	size_t size = dtype_size(dtype) >> how.pair;
	chars s = {word, word + n};
	uint64_t bits[2];
	number_text_fault fault =
		how.pair ? parse_pair(dtype, how, s, bits) : parse_real(dtype, how, s, bits);

	for (int i = 0; fault == NUMBER_TEXT_GOOD && i <= how.pair; i++)
		store(ret_element + static_cast<size_t>(i) * size, size, bits[i]);
	return fault;
}
