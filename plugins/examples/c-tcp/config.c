#include "config.h"

#include <string.h>

#define DEFAULT_TIMEOUT_MS 2000u
#define MAX_TIMEOUT_MS 60000u

struct reader {
    const char *at;
    const char *end;
};

static void skip_space(struct reader *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at)) in->at++;
}

static bool take(struct reader *in, char wanted) {
    skip_space(in);
    if (in->at == in->end || *in->at != wanted) return false;
    in->at++;
    return true;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits of an escape; only what is one byte in UTF-8. */
static bool read_code(struct reader *in, char *out) {
    int code = 0;
    for (int i = 0; i < 4; i++) {
        if (in->at == in->end || digit(*in->at) < 0) return false;
        code = code * 16 + digit(*in->at++);
    }
    *out = (char)code;
    return code < 0x80;
}

static bool read_escape(struct reader *in, char *out) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (in->at == in->end) return false;
    char name = *in->at++;
    if (name == 'u') return read_code(in, out);
    const char *found = name ? strchr(names, name) : NULL;
    if (!found) return false;
    *out = values[found - names];
    return true;
}

static bool read_text(struct reader *in, struct config_text *text) {
    text->length = 0;
    if (!take(in, '"')) return false;
    while (in->at < in->end && *in->at != '"') {
        char next = *in->at++;
        if (next == '\\' && !read_escape(in, &next)) return false;
        if (text->length == CONFIG_TEXT) return false;
        text->bytes[text->length++] = next;
    }
    return take(in, '"');
}

static bool read_number(struct reader *in, uint32_t *number) {
    skip_space(in);
    uint32_t value = 0;
    const char *began = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9' && value <= MAX_TIMEOUT_MS) value = value * 10 + (uint32_t)(*in->at++ - '0');
    *number = value;
    return in->at > began && value >= 1 && value <= MAX_TIMEOUT_MS;
}

static bool is(const struct config_text *text, const char *name) {
    return text->length == strlen(name) && memcmp(text->bytes, name, text->length) == 0;
}

static bool wrong(struct config_error *error, const char *path, const char *message) {
    error->path = path;
    error->message = message;
    return false;
}

static bool read_member(struct reader *in, struct config *config, struct config_error *error) {
    static const char text_message[] = "a string of at most 256 bytes; of the escapes only those of one byte";
    struct config_text key;
    if (!read_text(in, &key) || !take(in, ':')) return wrong(error, "", "this is not a JSON object");
    if (is(&key, "send")) return read_text(in, &config->send) || wrong(error, "/send", text_message);
    if (is(&key, "expect")) return read_text(in, &config->expect) || wrong(error, "/expect", text_message);
    if (is(&key, "timeout-ms"))
        return read_number(in, &config->timeout_ms) || wrong(error, "/timeout-ms", "a number of milliseconds from 1 to 60000");
    return wrong(error, "", "only `send`, `expect` and `timeout-ms` are known");
}

bool config_read(struct config *config, const char *json, size_t length, struct config_error *error) {
    struct reader in = {json, json + length};
    *config = (struct config){.timeout_ms = DEFAULT_TIMEOUT_MS};
    if (!take(&in, '{')) return wrong(error, "", "this is not a JSON object");
    if (!take(&in, '}')) {
        do
            if (!read_member(&in, config, error)) return false;
        while (take(&in, ','));
        if (!take(&in, '}')) return wrong(error, "", "this is not a JSON object");
    }
    skip_space(&in);
    return in.at == in.end || wrong(error, "", "something follows the JSON object");
}
