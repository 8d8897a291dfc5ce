// These tests run what runs on Linux only.
using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
