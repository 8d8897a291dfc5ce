// These tests run the command where it runs: on Linux.
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
