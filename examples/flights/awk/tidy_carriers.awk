# Company names as people say them: "AirTran Airways Corporation" becomes "AirTran Airways".
NR > 1 { sub(/ (Inc\.|Co\.|Corporation)$/, "") }
{ print > out }
