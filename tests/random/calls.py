"""Random calls on constants, by families. Each maker takes a random.Random and gives the function's name and an expression."""
import string

# --- pieces -----------------------------------------------------------------------------------------


def quoted(text):
    if "\\" in text or any(ord(c) < 32 for c in text):
        return "E'" + "".join("\\x%02x" % ord(c) if ord(c) < 32 else c for c in text.replace("\\", "\\\\").replace("'", "''")) + "'"
    return "'" + text.replace("'", "''") + "'"


def digits(r, most):
    return "".join(r.choice(string.digits) for _ in range(r.randint(1, most)))


def number(r):
    """A numeric's text."""
    k = r.random()
    if k < .06:
        return r.choice(["NaN", "Infinity", "-Infinity", "0", "-0", "0.000", "1", "-1"])
    sign = r.choice(["", "", "-"])
    if k < .3:
        return sign + digits(r, 3)
    if k < .65:
        return sign + digits(r, 6) + "." + digits(r, 6)
    if k < .8:
        return sign + "0." + "0" * r.randint(0, 20) + digits(r, 10)
    if k < .95:
        return sign + digits(r, 30) + r.choice(["", "." + digits(r, 20)])
    return "%s%s.%se%d" % (sign, digits(r, 2), digits(r, 3), r.randint(-40, 40))


def small(r):
    return str(r.choice([0, 1, 2, 3, 5, 10, -1, -2, -3, r.randint(-30, 30)]))


def numeric_call(r):
    a, b = "'%s'::numeric" % number(r), "'%s'::numeric" % number(r)
    k = r.randrange(30)
    if k < 7:
        op = "+-*/%+*"[k]
        return op, "%s %s %s" % (a, op, b)
    if k < 9:
        op = r.choice(["=", "<>", "<", "<=", ">", ">="])
        return op, "%s %s %s" % (a, op, b)
    if k < 15:
        f = r.choice(["abs", "sign", "ceil", "floor", "round", "trunc", "-", "scale", "min_scale", "trim_scale", "sqrt", "ln", "exp",
                      "log"])
        if f == "exp":
            a = "'%s%s.%s'::numeric" % (r.choice(["", "-"]), digits(r, 2), digits(r, 5))
        return f, "%s(%s)" % (f, a) if f != "-" else "- %s" % a
    if k < 18:
        f = r.choice(["round", "trunc"])
        return f, "%s(%s, %s)" % (f, a, small(r))
    if k < 20:
        f = r.choice(["div", "mod", "log", "gcd", "lcm"])
        if f in ("gcd", "lcm"):
            a, b = ("'%s'::numeric" % digits(r, 25) for _ in "ab")
        return f, "%s(%s, %s)" % (f, a, b)
    if k == 20:
        return "power", "power('%s.%s'::numeric, '%s.%s'::numeric)" % (digits(r, 2), digits(r, 4), r.choice(["", "-"]) + digits(r, 1),
                                                                     digits(r, 3))
    if k == 21:
        return "power", "power(%s, %s::numeric)" % (a, small(r))
    if k < 25:
        t = r.choice(["int2", "int4", "int8", "float4", "float8", "text", "numeric(10,2)", "numeric(3)", "numeric(5,-2)", "numeric(2,4)"])
        return "::" + t, "%s::%s" % (a, t)
    if k == 25:
        return "width_bucket", "width_bucket(%s, %s, %s, %s)" % (a, b, "'%s'::numeric" % number(r), r.randint(-1, 12))
    if k == 26:
        return "factorial", "factorial(%d)" % r.randint(-2, 60)
    t = r.choice(["float8", "float4", "int8", "int4", "int2"])
    if k == 27:
        return t + "::text", "'%s'::%s" % (number(r), t)
    op = r.choice("+-*/")
    return t + op, "'%s'::%s %s '%s'::%s" % (number(r), t, op, number(r), r.choice([t, "float8", "int4", "numeric"]))


# --- regular expressions ----------------------------------------------------------------------------

LETTERS = "aabbcABé1_ .-\n"


def subject(r):
    return "".join(r.choice(LETTERS) for _ in range(r.randint(0, 14)))


def atom(r, depth, groups):
    k = r.random()
    if k < .5:
        return r.choice(["a", "b", "c", "A", "é", "1", "_", "ab", "-"])
    if k < .58:
        return "."
    if k < .7:
        return r.choice(["\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\.", "\\x61", "\\u0062", "\\n"])
    if k < .8:
        return r.choice(["[ab]", "[^a]", "[a-c]", "[[:alpha:]]", "[[:digit:]b]", "[]a]", "[^[:space:]]", "[a\\d]", "[[.a.]]", "[[=b=]]",
                         "[-a]", "[b-a]", "[[:upper:]]"])
    if k < .86 and groups[0]:
        return "\\%d" % r.randint(1, groups[0])
    if depth <= 0:
        return "a"
    kind = r.choice(["(", "(", "(", "(?:", "(?=", "(?!", "(?<=", "(?<!"])
    inside = regex(r, depth - 1, groups if kind == "(" else [0])
    if kind == "(":
        groups[0] += 1
    return kind + inside + ")"


def regex(r, depth, groups):
    branches = []
    for _ in range(1 if r.random() < .7 else 2):
        out = ""
        for _ in range(r.randint(1, 3)):
            if r.random() < .12:
                out += r.choice(["^", "$", "\\m", "\\M", "\\y", "\\Y", "\\A", "\\Z"])
                continue
            out += atom(r, depth, groups)
            if r.random() < .4:
                out += r.choice(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "??", "{1,2}?"])
        branches.append(out)
    return "|".join(branches)


def pattern(r):
    text = regex(r, 2, [0])
    k = r.random()
    if k < .04:
        return r.choice(["***=", "(?i)", "(?x)", "(?n)", "(?s)", "***:", "(?q)", "(?w)", "(?p)"]) + text
    if k < .07:
        at = r.randint(0, len(text))
        return text[:at] + r.choice(["(", ")", "[", "{", "}", "*", "\\", "?"]) + text[at:]
    return text


def flags(r):
    return "".join(r.choice("gixnspmcwq") for _ in range(r.choice([0, 1, 1, 2])))


def regex_call(r):
    s, p = quoted(subject(r)), quoted(pattern(r))
    k = r.randrange(14)
    if k < 4:
        op = r.choice(["~", "~*", "!~", "!~*"])
        return op, "%s %s %s" % (s, op, p)
    if k < 7:
        to = quoted(r.choice(["x", "<\\&>", "[\\1]", "\\2\\1", "\\\\", "", "\\x"]))
        if r.random() < .3:
            return "regexp_replace", "regexp_replace(%s, %s, %s)" % (s, p, to)
        if r.random() < .5:
            return "regexp_replace", "regexp_replace(%s, %s, %s, '%s')" % (s, p, to, flags(r))
        return "regexp_replace", "regexp_replace(%s, %s, %s, %d, %d, '%s')" % (s, p, to, r.randint(0, 6), r.randint(-1, 3),
                                                                              flags(r).replace("g", ""))
    if k == 7:
        return "regexp_matches", "regexp_matches(%s, %s, '%s')" % (s, p, flags(r))
    if k == 8:
        return "regexp_match", "regexp_match(%s, %s, '%s')" % (s, p, flags(r).replace("g", ""))
    if k == 9:
        f = r.choice(["regexp_split_to_array", "regexp_split_to_table"])
        return f, "%s(%s, %s, '%s')" % (f, s, p, flags(r).replace("g", ""))
    if k == 10:
        return "regexp_count", "regexp_count(%s, %s, %d, '%s')" % (s, p, r.randint(0, 4), flags(r).replace("g", ""))
    if k == 11:
        return "regexp_instr", "regexp_instr(%s, %s, %d, %d, %d, '%s', %d)" % (s, p, r.randint(0, 4), r.randint(0, 3), r.randint(-1, 2),
                                                                            flags(r).replace("g", ""), r.randint(0, 3))
    if k == 12:
        return "regexp_substr", "regexp_substr(%s, %s, %d, %d, '%s', %d)" % (s, p, r.randint(1, 4), r.randint(1, 3),
                                                                            flags(r).replace("g", ""), r.randint(0, 3))
    if r.random() < .5:
        return "substring", "substring(%s from %s)" % (s, p)
    parts = "".join(r.choice(["a", "b", "%", "_", "(", ")", "|", "*", "[ab]", "#", '#"']) for _ in range(r.randint(1, 6)))
    return "similar to", "%s similar to %s" % (s, quoted(parts))


# --- dates and times --------------------------------------------------------------------------------

UNITS = ["century", "day", "decade", "dow", "doy", "epoch", "hour", "isodow", "isoyear", "julian", "microseconds", "millennium",
         "milliseconds", "minute", "month", "quarter", "second", "week", "year", "timezone", "timezone_hour", "timezone_minute", "fortnight"]
TRUNCS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century",
          "millennium", "dow"]
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "EST5EDT", "+02", "-03:30", "PST", "Nowhere/City"]


def date_text(r):
    k = r.random()
    if k < .04:
        return r.choice(["infinity", "-infinity", "epoch", "4713-11-24 BC", "5874897-12-31", "0001-01-01", "0044-03-15 BC", "1999-02-29"])
    year = r.choice([r.randint(1, 9999), r.randint(1900, 2100), r.randint(1990, 2030)])
    month, day = r.randint(1, 12), r.randint(1, 31 if r.random() < .1 else 28)
    if k < .75:
        return "%04d-%02d-%02d" % (year, month, day)
    name = ["Jan", "February", "Mar", "april", "MAY", "Jun", "Jul", "August", "Sept", "Oct", "Nov", "December"][month - 1]
    return r.choice(["%s %d, %d" % (name, day, year), "%d %s %d" % (day, name, year), "%02d/%02d/%04d" % (month, day, year),
                     "%04d%02d%02d" % (year, month, day), "%04d.%03d" % (year, r.randint(1, 366)), "%d-%s-%04d" % (day, name, year),
                     "J%d" % r.randint(0, 3000000), "%04d-%d-%d" % (year, month, day), "%02d/%02d/%02d" % (month, day, year % 100)])


def time_text(r):
    k = r.random()
    h, m, s = r.randint(0, 23), r.randint(0, 59), r.randint(0, 59)
    if k < .05:
        return r.choice(["24:00:00", "00:00", "23:59:60", "12:00 PM", "12:00 AM", "25:00", "allballs", "1:2"])
    if k < .5:
        return "%02d:%02d:%02d" % (h, m, s)
    if k < .8:
        return "%02d:%02d:%02d.%s" % (h, m, s, digits(r, 7))
    return r.choice(["%d:%02d %s" % (h % 12 + 1, m, r.choice(["AM", "pm"])), "%02d%02d%02d" % (h, m, s), "%02d:%02d" % (h, m),
                     "T%02d%02d%02d" % (h, m, s)])


def stamp_text(r, zone=False):
    out = date_text(r)
    if "infinity" in out or out == "epoch":
        return out
    if " BC" in out:
        return out.replace(" BC", " %s BC" % time_text(r))
    out += r.choice([" ", " ", "T" if out[0].isdigit() and "-" in out else " "]) + time_text(r)
    if zone and r.random() < .6:
        out += r.choice(["+00", "-08", "+05:30", " UTC", " EST", "Z", "-03:30:15", " America/New_York", "+15:59", "+16"])
    return out


def interval_text(r):
    k = r.random()
    if k < .3:
        return " ".join("%s%d%s %s" % (r.choice(["", "-"]), r.randint(0, 40), r.choice(["", "", "." + digits(r, 3)]), u) for u in r.sample(
            ["years", "mons", "weeks", "days", "hours", "min", "sec", "milliseconds", "us", "decade", "century"], r.randint(1, 3)))
    if k < .5:
        return "%s%d %s%s" % (r.choice(["", "-"]), r.randint(0, 999), r.choice(["", "-"]), time_text(r))
    if k < .65:
        return "P%s%s" % ("".join("%s%d%s" % (r.choice(["", "-"]), r.randint(0, 99), u) for u in r.choice(["Y", "YM", "D", "MD", "W"])),
                          r.choice(["", "T%dH%dM%d.%sS" % (r.randint(0, 99), r.randint(0, 99), r.randint(0, 99), digits(r, 4)), "T1H"]))
    if k < .75:
        return "%s%d-%d %s%d %s" % (r.choice(["", "-"]), r.randint(0, 99), r.randint(0, 12), r.choice(["", "+", "-"]), r.randint(0, 30),
                                  time_text(r))
    if k < .85:
        return "@ %d days %d hours ago" % (r.randint(0, 99), r.randint(0, 99))
    return r.choice(["1", "1.5", "%d" % r.randint(0, 10**9), "1 month -1 day", "-00:00:01", "1 fortnight", "00:00", "178000000 years",
                     "%s hours" % digits(r, 9), "0.%s months" % digits(r, 4), "%d:%02d" % (r.randint(0, 99), r.randint(0, 59))])


def stamp(r):
    k = r.randrange(4)
    if k == 0:
        return "'%s'::date" % date_text(r)
    if k == 1:
        return "'%s'::timestamptz" % stamp_text(r, True)
    return "'%s'::timestamp" % stamp_text(r)


def datetime_call(r):
    k = r.randrange(22)
    interval = "'%s'::interval" % interval_text(r)
    if k < 3:
        return "input", stamp(r)
    if k == 3:
        return "interval", interval
    if k == 4:
        t = r.choice(["interval year to month", "interval day to second", "interval hour", "interval second(2)", "interval(0)", "interval day",
                      "interval minute to second(1)", "interval month"])
        return t, "'%s'::%s" % (interval_text(r), t)
    if k == 5:
        return "time", "'%s'::time%s" % (time_text(r), r.choice(["", "(0)", "(3)"]))
    if k == 6:
        return "timestamp(n)", "'%s'::%s(%d)" % (stamp_text(r), r.choice(["timestamp", "timestamptz"]), r.randint(0, 6))
    if k < 9:
        op = r.choice("+-")
        return "stamp" + op + "interval", "%s %s %s" % (stamp(r), op, interval)
    if k == 9:
        return "stamp-stamp", "%s - %s" % (stamp(r), stamp(r))
    if k == 10:
        return "age", "age(%s, %s)" % (stamp(r), stamp(r))
    if k < 13:
        u = r.choice(UNITS)
        v = interval if r.random() < .3 else "'%s'::time" % time_text(r) if r.random() < .1 else stamp(r)
        f = r.choice(["extract(%s from %s)", "date_part('%s', %s)"])
        return f[:9] + " " + u, f % (u, v)
    if k < 15:
        u = r.choice(TRUNCS)
        if r.random() < .2:
            return "date_trunc", "date_trunc('%s', '%s'::timestamptz, '%s')" % (u, stamp_text(r, True), r.choice(ZONES))
        return "date_trunc", "date_trunc('%s', %s)" % (u, interval if r.random() < .3 else stamp(r))
    if k == 15:
        t = r.choice(["timestamp", "timestamptz"])
        return "date_bin", "date_bin('%s'::interval, '%s'::%s, '%s'::%s)" % (interval_text(r), stamp_text(r), t, stamp_text(r), t)
    if k == 16:
        z = r.choice(ZONES)
        return "at time zone", "%s at time zone '%s'" % (stamp(r).replace("::date", "::timestamp"), z)
    if k == 17:
        f = r.choice(["justify_hours", "justify_days", "justify_interval", "-"])
        return f, "%s(%s)" % (f, interval)
    if k == 18:
        return "make", r.choice([
            "make_date(%d, %d, %d)" % (r.randint(-50, 2100), r.randint(0, 13), r.randint(0, 32)),
            "make_time(%d, %d, %d.%s)" % (r.randint(0, 25), r.randint(0, 60), r.randint(0, 60), digits(r, 3)),
            "make_timestamp(%d, %d, %d, %d, %d, %d.5)" % (r.randint(1, 2100), r.randint(1, 12), r.randint(1, 31), r.randint(0, 24),
                                                         r.randint(0, 59), r.randint(0, 60)),
            "make_timestamptz(%d, %d, %d, %d, %d, 7.25, '%s')" % (r.randint(1, 2100), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23),
                                                                 r.randint(0, 59), r.choice(ZONES)),
            "make_interval(%d, %d, %d, %d, %d, %d, %d.%s)" % (*(r.randint(-9, 99) for _ in range(7)), digits(r, 3)),
            "to_timestamp(%d.%s)" % (r.randint(-10**10, 10**10), digits(r, 4))])
    if k == 19:
        op = r.choice("*/")
        return "interval" + op, "%s %s %s" % (interval, op, r.choice(["2", "0.5", "3.7", "-1.25", "0", "1e3", "7"]))
    if k == 20:
        return "interval+interval", "%s %s %s" % (interval, r.choice(["+", "-", "<", "=", ">="]), "'%s'::interval" % interval_text(r))
    t = r.choice(["date", "timestamp", "timestamptz", "time", "text"])
    return "::" + t, "%s::%s" % (stamp(r), t)


# --- to_char and the way back -----------------------------------------------------------------------

DATE_WORDS = ["YYYY", "YYY", "YY", "Y", "Y,YYY", "IYYY", "IYY", "IY", "I", "MM", "MON", "Mon", "mon", "MONTH", "Month", "month", "DD", "DDD",
              "D", "DAY", "Day", "day", "DY", "Dy", "dy", "ID", "IDDD", "IW", "WW", "W", "Q", "CC", "J", "RM", "rm", "HH", "HH12", "HH24", "MI",
              "SS", "SSSS", "SSSSS", "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "AM", "am", "A.M.", "p.m.", "BC", "b.c.", "AD", "TZ", "tz", "TZH",
              "TZM", "OF"]
NUMBER_WORDS = ["9", "9", "0", "99", "000", ".", "D", ",", "G", "S", "MI", "PR", "PL", "SG", "L", "FM", "V", "EEEE", "RN", "TH", "th", "9", "0"]


def date_format(r):
    out = ""
    for _ in range(r.randint(1, 5)):
        word = r.choice(DATE_WORDS)
        if r.random() < .2:
            word = "FM" + word
        if r.random() < .1:
            word += r.choice(["TH", "th"])
        out += word + r.choice(["-", " ", "/", ":", ".", ", ", "", '"at"', '"T"', "\\"])
    return out


def number_format(r):
    k = r.random()
    if k < .6:
        body = "".join(r.choice("99990,") for _ in range(r.randint(1, 8)))
        if r.random() < .5:
            body += r.choice(".D") + "".join(r.choice("90") for _ in range(r.randint(0, 5)))
        return r.choice(["", "", "FM", "S", "SG", "PL", "L", "MI"]) + body + r.choice(["", "", "", "PR", "MI", "S", "th", "TH", "SG", "V99", "EEEE", " x"])
    if k < .65:
        return r.choice(["RN", "FMRN", "rn", "9.99EEEE", "FM9.9EEEE", "0.000EEEE"])
    return "".join(r.choice(NUMBER_WORDS) for _ in range(r.randint(1, 6)))


def to_char_call(r):
    k = r.randrange(12)
    if k < 4:
        v = r.choice(["'%s'::numeric" % number(r), small(r), "'%s'::float8" % number(r), digits(r, 9), "-%s.%s" % (digits(r, 4), digits(r, 3)),
                      "%s::int8" % digits(r, 15)])
        return "to_char of a number", "to_char(%s, %s)" % (v, quoted(number_format(r)))
    if k < 8:
        v = "'%s'::interval" % interval_text(r) if r.random() < .2 else stamp(r)
        return "to_char of a time", "to_char(%s, %s)" % (v, quoted(date_format(r)))
    if k < 10:
        f = r.choice(["to_date", "to_timestamp"])
        form = r.choice(["YYYY-MM-DD", "YYYY-MM-DD HH24:MI:SS", "DD Mon YYYY", "Month DD, YYYY", "YYYYMMDD", "YY-MM-DD", "DDD YYYY", "IYYY-IW-ID",
                         "HH12:MI AM", "J", "YYYY-MM-DD HH24:MI:SS.US", "FMMonth FMDD YYYY", "Dy DD Mon YYYY", "MM/DD/YYYY", "CC YY", "YYYY Q",
                         "YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM", "WW YYYY", "SSSS", "MS", date_format(r)])
        text = r.choice([date_text(r), stamp_text(r), time_text(r), digits(r, 8), date_text(r) + " " + time_text(r)])
        if "IY" in form and text[:6].isdigit():
            form = "YYYY-MM-DD"  # a week of the year 49,220,518: PostgreSQL's numbers run over
        return f, "%s(%s, %s)" % (f, quoted(text), quoted(form))
    text = r.choice([number(r), " " + number(r), "$" + digits(r, 4), "<%s>" % digits(r, 3), digits(r, 3) + "-", "%s,%s" % (digits(r, 3), digits(r, 3)),
                     "+" + digits(r, 3), digits(r, 2) + "th", ""])
    return "to_number", "to_number(%s, %s)" % (quoted(text), quoted(number_format(r)))


# --- strings ----------------------------------------------------------------------------------------


def text(r):
    return "".join(r.choice("abcABC xyz123,.é'ß-%_\\öİ") for _ in range(r.randint(0, 12)))


def string_call(r):
    s, t, u = quoted(text(r)), quoted(text(r)[:3]), quoted(text(r)[:4])
    n, m = r.randint(-5, 12), r.randint(-3, 12)
    calls = {
        "substr": "substr(%s, %d, %d)" % (s, n, m), "substring": "substring(%s from %d for %d)" % (s, n, m), "left": "left(%s, %d)" % (s, n),
        "right": "right(%s, %d)" % (s, n), "lpad": "lpad(%s, %d, %s)" % (s, n, t), "rpad": "rpad(%s, %d, %s)" % (s, n, t),
        "ltrim": "ltrim(%s, %s)" % (s, t), "rtrim": "rtrim(%s, %s)" % (s, t), "btrim": "btrim(%s, %s)" % (s, t),
        "translate": "translate(%s, %s, %s)" % (s, t, u), "replace": "replace(%s, %s, %s)" % (s, t, u), "position": "position(%s in %s)" % (t, s),
        "strpos": "strpos(%s, %s)" % (s, t), "split_part": "split_part(%s, %s, %d)" % (s, t, n), "initcap": "initcap(%s)" % s,
        "upper": "upper(%s)" % s, "lower": "lower(%s)" % s, "reverse": "reverse(%s)" % s, "repeat": "repeat(%s, %d)" % (s, n),
        "overlay": "overlay(%s placing %s from %d for %d)" % (s, t, n, m), "ascii": "ascii(%s)" % s, "chr": "chr(%d)" % (n * 37),
        "md5": "md5(%s)" % s, "length": "length(%s)" % s, "octet_length": "octet_length(%s)" % s, "bit_length": "bit_length(%s)" % s,
        "quote_literal": "quote_literal(%s)" % s, "quote_ident": "quote_ident(%s)" % s, "quote_nullable": "quote_nullable(%s)" % s,
        "format": "format(%s, %s, %s)" % (quoted("".join(r.choice(["%s", "%I", "%L", "%%", "x", "%1$s", "%2$L", "%-5s|", "%*s", "%10I", "%3$s", "%"])
                                                                for _ in range(r.randint(1, 3)))), s, t),
        "like": "%s like %s" % (s, quoted("".join(r.choice(["%", "_", "a", "b", "\\%", "é", "A", "\\"]) for _ in range(r.randint(0, 5))))),
        "ilike": "%s ilike %s" % (s, quoted("".join(r.choice(["%", "_", "a", "B", "é", "É"]) for _ in range(r.randint(0, 5))))),
        "starts_with": "starts_with(%s, %s)" % (s, t), "concat_ws": "concat_ws(%s, %s, null, %d, true)" % (t, s, n),
        "string_to_array": "string_to_array(%s, %s, %s)" % (s, r.choice([t, "null", "''"]), r.choice([u, "null"])),
        "array_to_string": "array_to_string(array[%s, null, %s], %s, %s)" % (s, t, u, r.choice([t, "null"])),
        "encode": "encode(%s::bytea, '%s')" % (quoted(text(r).replace("\\", "")), r.choice(["hex", "base64", "escape", "rot13"])),
        "decode": "decode(%s, '%s')" % (quoted("".join(r.choice("0123456789abcdefgQ=\\ ") for _ in range(r.randint(0, 10)))),
                                        r.choice(["hex", "base64", "escape"])),
        "to_hex": "to_hex(%d)" % (n * 10**r.randint(0, 9)), "unistr": "unistr(%s)" % quoted(r.choice(["\\0061", "d\\u0061t", "\\+000061", "\\d83d", "x\\\\"])),
        "normalize": "normalize(%s, %s)" % (s, r.choice(["nfc", "nfd", "nfkc", "nfkd"])), "::bytea": "%s::bytea" % s,
        "char": "%s::char(%d) || '|'" % (s, max(n, 1)), "varchar": "%s::varchar(%d)" % (s, max(n, 1)),
        "::int": "%s::int" % quoted(r.choice([" 12 ", "0x1f", "1_000", "+7", "-0", "99999999999", "1e3", "", "1.5", "٣"])),
        "::bool": "%s::bool" % quoted(r.choice(["t", "TRUE", "y", "of", "on", "o", " yes ", "1", "10", "n", "fals"])),
        "sha256": "sha256(%s::bytea)" % quoted(text(r).replace("\\", "")), "<": "%s %s %s collate \"C\"" % (s, r.choice(["<", ">", "="]), t),
        "get_byte": "get_byte(%s::bytea, %d)" % (quoted("abcdef"), n), "set_byte": "set_byte('abcdef'::bytea, %d, %d)" % (n, m * 40),
        "get_bit": "get_bit('abc'::bytea, %d)" % n, "bytea substr": "substring('abcdef'::bytea from %d for %d)" % (n, m),
    }
    name = r.choice(list(calls))
    return name, calls[name]


FAMILIES = {"numeric": numeric_call, "regex": regex_call, "datetime": datetime_call, "to_char": to_char_call, "string": string_call}
