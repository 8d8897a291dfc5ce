// Where the built command lies, seen from the running test program.
using System;
using System.IO;

namespace FastBackup.Tests.Cli.Command;

static class BuiltCommand
{
    static readonly DirectoryInfo Here = new(AppContext.BaseDirectory.TrimEnd('/'));

    /// <summary>The command as built in the same configuration as these tests.</summary>
    public static string Path =>
        Repository.PathOf(System.IO.Path.Combine("native-api/cli/bin", Here.Parent!.Name, Here.Name, "fastbackup.dll"));
}
