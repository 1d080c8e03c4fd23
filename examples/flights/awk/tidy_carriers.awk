# Company names as people say them: "American Airlines Inc." becomes "American Airlines".
NR == 1 { print > out; next }
{
    sub(/ (Inc\.|Co\.|Corporation)$/, "")
    sub(/ (Air Lines|Airlines)$/, " Airlines")
    print > out
}
