"""OpenTelemetry: a run as a trace, written in OTLP to a file or to a receiver."""
