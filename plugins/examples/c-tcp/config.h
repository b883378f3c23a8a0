/* The configuration: a JSON object of strings and one number. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer than this is no banner and no greeting. */
#define CONFIG_TEXT 256

struct config_text {
    char bytes[CONFIG_TEXT];
    size_t length;
};

struct config {
    struct config_text send;
    struct config_text expect;
    uint32_t timeout_ms;
};

struct config_error {
    /* A JSON pointer; points into the next. */
    const char *path;
    const char *message;
};

/* Reads `json`; false where it is wrong, and then `error` says where and how. */
bool config_read(struct config *config, const char *json, size_t length, struct config_error *error);

#endif
