// Arguments go to the library as they are: every type of fastbackup.h is plain memory in C# as well, so that the
// runtime has nothing to convert and a call costs what a call in C costs plus leaving the runtime.
using System.Runtime.CompilerServices;

[assembly: DisableRuntimeMarshalling]
