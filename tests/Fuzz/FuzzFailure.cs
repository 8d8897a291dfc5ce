// Something that may never happen has happened.
using System;

namespace FastBackup.Tests.Fuzz;

#pragma warning disable CA1032, CA1064 // made here with a message, caught here
sealed class FuzzFailure(string what) : Exception(what);
#pragma warning restore CA1032, CA1064
