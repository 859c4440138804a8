-- What was done, for the program that has started wrk.
function done(summary)
    local errors = summary.errors
    print(string.format('{"calls":%d,"micros":%d,"status":%d,"failed":%d}', summary.requests, summary.duration,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
