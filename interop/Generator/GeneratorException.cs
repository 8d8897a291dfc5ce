// A header that says something the generator has no C# for, or a compiler that refused: ends the run, nothing is
// written.
using System;

namespace FastBackup.Interop.Generator;

sealed class GeneratorException(string message) : Exception(message);
