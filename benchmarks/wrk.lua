-- Posts the bodies of a file (one a line, JSON) in turn, and ends with one line of JSON that load.py reads.

local requests, position = {}, 0

function init(arguments)
    for body in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body)
    end
end

function request()
    position = position % #requests + 1
    return requests[position]
end

function done(summary, latency)
    local errors = summary.errors
    local line = '{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "late": %d, '
        .. '"p50": %d, "p90": %d, "p99": %d, "max": %d}\n'
    io.write(string.format(line, summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
