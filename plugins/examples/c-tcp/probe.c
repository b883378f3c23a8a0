/* A probe in C: connects to the endpoint `server`, may send something, and may look for something in what comes back.
 *
 * Configuration: {"send": "PING\r\n", "expect": "+PONG", "timeout-ms": 2000}; every key is optional. Without `expect`, a server that
 * takes the connection is well.
 *
 * Faults: tcp-unreachable, tcp-silent, tcp-wrong-answer.
 *
 * fault_probe.h is written by plugins/build from wit/. What goes back to the host is freed by the generated code, so every
 * string that does comes from `text`.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fault_probe.h"

/* What a server says first is short; more is not looked at. */
#define MAX_ANSWER 4096u

typedef exports_understudy_plugin_probe_report_t report_t;
typedef understudy_plugin_types_fault_t fault_t;
typedef understudy_plugin_types_host_error_t host_error_t;

static void text(fault_probe_string_t *to, const char *from) { fault_probe_string_dup(to, from); }

void exports_understudy_plugin_manifest_describe(exports_understudy_plugin_manifest_description_t *ret) {
    text(&ret->name, "c-tcp");
    text(&ret->version, "0.1.0");
    text(&ret->summary, "Connects to a TCP server and looks at its answer (an example in C)");
    ret->server_types.len = 1;
    ret->server_types.ptr = malloc(sizeof *ret->server_types.ptr);
    text(&ret->server_types.ptr[0], "tcp");
    ret->asks.len = 1;
    ret->asks.ptr = malloc(sizeof *ret->asks.ptr);
    text(&ret->asks.ptr[0], "endpoint:server");
}

void exports_understudy_plugin_manifest_check_config(fault_probe_string_t *json,
                                                     exports_understudy_plugin_manifest_list_diagnostic_t *ret) {
    struct config config;
    struct config_error error;
    ret->len = 0;
    ret->ptr = NULL;
    if (config_read(&config, (const char *)json->ptr, json->len, &error)) return;
    ret->len = 1;
    ret->ptr = malloc(sizeof *ret->ptr);
    text(&ret->ptr[0].path, error.path);
    text(&ret->ptr[0].message, error.message);
}

static bool cannot(understudy_plugin_types_plugin_error_t *err, const char *code, const char *message) {
    text(&err->code, code);
    text(&err->message, message);
    err->retryable = false;
    err->attributes.len = 0;
    err->attributes.ptr = NULL;
    return false;
}

static void healthy(report_t *report) {
    memset(report, 0, sizeof *report);
    report->verdict = EXPORTS_UNDERSTUDY_PLUGIN_PROBE_VERDICT_HEALTHY;
}

/* One fault that requires a shutdown, with what was seen under `key`. */
static void failing(report_t *report, const char *code, const char *message, const char *key, const uint8_t *seen, size_t length) {
    healthy(report);
    report->verdict = EXPORTS_UNDERSTUDY_PLUGIN_PROBE_VERDICT_FAILING;
    report->faults.len = 1;
    report->faults.ptr = calloc(1, sizeof *report->faults.ptr);
    fault_t *fault = &report->faults.ptr[0];
    text(&fault->code, code);
    text(&fault->message, message);
    fault->kind = UNDERSTUDY_PLUGIN_TYPES_FAULT_KIND_SOFTWARE;
    fault->severity = UNDERSTUDY_PLUGIN_TYPES_SEVERITY_SHUTDOWN_REQUIRED;
    fault->evidence.len = 1;
    fault->evidence.ptr = malloc(sizeof *fault->evidence.ptr);
    text(&fault->evidence.ptr[0].f0, key);
    fault_probe_string_t *value = &fault->evidence.ptr[0].f1;
    value->len = length;
    value->ptr = malloc(length ? length : 1);
    /* Strings are UTF-8, and a server may say anything. */
    for (size_t i = 0; i < length; i++) value->ptr[i] = seen[i] >= 0x20 && seen[i] < 0x7f ? seen[i] : '.';
}

static void failing_host(report_t *report, host_error_t *error) {
    bool is_gone = error->code.len == 11 && memcmp(error->code.ptr, "unreachable", 11) == 0;
    failing(report, is_gone ? "tcp-unreachable" : "tcp-silent",
            is_gone ? "Nothing listens" : "It listens, and does not answer", "error", (const uint8_t *)error->message.ptr,
            error->message.len);
    understudy_plugin_types_host_error_free(error);
}

static bool contains(const uint8_t *in, size_t length, const char *what, size_t what_length) {
    for (size_t at = 0; at + what_length <= length; at++)
        if (memcmp(in + at, what, what_length) == 0) return true;
    return false;
}

/* Reads until what is expected has come, the other side closes, or there is too much of it. */
static void listen_to(understudy_plugin_endpoints_borrow_connection_t connection, const struct config *config, report_t *report) {
    uint8_t answer[MAX_ANSWER];
    size_t length = 0;
    while (!contains(answer, length, config->expect.bytes, config->expect.length)) {
        fault_probe_list_u8_t more;
        host_error_t error;
        uint32_t room = MAX_ANSWER - (uint32_t)length;
        if (room && !understudy_plugin_endpoints_method_connection_read(connection, room, config->timeout_ms, &more, &error)) {
            if (length == 0) {
                failing_host(report, &error);
                return;
            }
            understudy_plugin_types_host_error_free(&error);
            room = 0;
        }
        if (!room || more.len == 0) {
            failing(report, "tcp-wrong-answer", "It does not say what it should", "answer", answer, length);
            return;
        }
        memcpy(answer + length, more.ptr, more.len);
        length += more.len;
        fault_probe_list_u8_free(&more);
    }
    healthy(report);
}

static void talk(const struct config *config, report_t *report) {
    understudy_plugin_endpoints_own_connection_t own;
    host_error_t error;
    fault_probe_string_t name;
    fault_probe_string_set(&name, "server");
    if (!understudy_plugin_endpoints_connect(&name, config->timeout_ms, &own, &error)) {
        failing_host(report, &error);
        return;
    }
    understudy_plugin_endpoints_borrow_connection_t connection = understudy_plugin_endpoints_borrow_connection(own);
    fault_probe_list_u8_t data = {(uint8_t *)config->send.bytes, config->send.length};
    if (data.len && !understudy_plugin_endpoints_method_connection_write(connection, &data, config->timeout_ms, &error))
        failing_host(report, &error);
    else
        listen_to(connection, config, report);
    understudy_plugin_endpoints_connection_drop_own(own);
}

bool exports_understudy_plugin_probe_check(exports_understudy_plugin_probe_call_context_t *context, report_t *ret,
                                           exports_understudy_plugin_probe_plugin_error_t *err) {
    bool is_serving = context->expected == UNDERSTUDY_PLUGIN_TYPES_EXPECTATION_SERVING;
    exports_understudy_plugin_probe_call_context_free(context);
    /* One that should not serve may be stopped, and nothing of it can be looked at. */
    if (!is_serving) {
        healthy(ret);
        return true;
    }
    fault_probe_string_t json;
    struct config config;
    struct config_error error;
    understudy_plugin_config_json(&json);
    bool is_read = config_read(&config, (const char *)json.ptr, json.len, &error);
    fault_probe_string_free(&json);
    if (!is_read) return cannot(err, "bad-config", error.message);
    talk(&config, ret);
    return true;
}
