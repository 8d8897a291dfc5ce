// A folder in which the commands of a document are typed as they stand, by a shell that stops at the first that fails.
// The command is in its path, and so is what a test puts into bin/. What a script leaves in the background ends too.
using System;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Cli.Command;

sealed class DocumentShell : IDisposable
{
    /// <summary>'ready FILE' waits for a socket or file, 'started COMMAND' for a server that it ends again.</summary>
    const string Frame = """
        set -euo pipefail
        PATH=$PWD/bin:$PATH
        trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT
        ready() { for i in $(seq 600); do [ ! -e "$1" ] || return 0; sleep 0.1; done; echo "no $1" >&2; return 1; }
        started() {
          "$@" > started.log & server=$!
          for i in $(seq 600); do ! grep -q serving started.log || break; sleep 0.1; done
          grep serving started.log
          kill $server
          wait $server
        }

        """;

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    readonly TempFolder _folder = new();

    public DocumentShell() => Put("fastbackup", $"exec {BuiltCommand.Line} \"$@\"");

    public string Path => _folder.Path;

    public string this[string name] => _folder[name];

    /// <summary>A program of this shell.</summary>
    /// <param name="name">How it is called.</param>
    /// <param name="line">What it does.</param>
    public void Put(string name, string line)
    {
        _ = Directory.CreateDirectory(_folder["bin"]);
        File.WriteAllText(_folder["bin/" + name], $"#!/bin/sh\n{line}\n");
        File.SetUnixFileMode(_folder["bin/" + name], UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    /// <returns>What it printed.</returns>
    public string Run(string script)
    {
        (string, string)[] passwords = [("FASTBACKUP_PASSWORD", "a"), ("RESTIC_PASSWORD", "a")];
        using RunningProgram shell = new(_folder.Path, "bash", ["-c", Frame + script], passwords);
        return shell.Wait(s_limit).Expect(0).Output;
    }

    public void Dispose() => _folder.Dispose();
}
