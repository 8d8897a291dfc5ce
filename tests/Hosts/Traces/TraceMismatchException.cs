// A host did not do what a trace says it must. The message has the byte.
using System;

namespace FastBackup.Tests.Hosts.Traces;

sealed class TraceMismatchException(string message) : Exception(message);
