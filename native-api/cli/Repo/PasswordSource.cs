// Where the password of a repository comes from: a file that only its owner can read, a command, or the environment, by
// our names or restic's. Never the command line, which everybody on the machine sees; never shown, nor in an error.
using System;
using System.Diagnostics;
using System.IO;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class PasswordSource
{
    /// <summary>What names an existing password: in the order in which they count.</summary>
    static readonly string[] s_prefixes = ["FASTBACKUP_PASSWORD", "RESTIC_PASSWORD"];

    /// <summary>A new one, for add-key.</summary>
    static readonly string[] s_newPrefixes = ["FASTBACKUP_NEW_PASSWORD"];

    static readonly TimeSpan s_commandLimit = TimeSpan.FromMinutes(2);

    const UnixFileMode Others =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    /// <param name="place">Its file or command; neither: the environment says.</param>
    /// <exception cref="RepositoryException">There is none, or it cannot be had.</exception>
    public static string Read(RepositoryPlace place) =>
        place.PasswordCommand is { } command
            ? FromCommand(command)
            : Read(place.PasswordFile, s_prefixes, "--password-file");

    /// <summary>The second one of add-key.</summary>
    public static string ReadNew(string? file) => Read(file, s_newPrefixes, "--new-password-file");

    static string Read(string? file, string[] prefixes, string option)
    {
        if (file != null)
            return FromFile(file);
        foreach (string prefix in prefixes)
        {
            if (Environment.GetEnvironmentVariable(prefix) is { Length: > 0 } password)
                return password;
            if (Environment.GetEnvironmentVariable(prefix + "_FILE") is { Length: > 0 } path)
                return FromFile(path);
            if (Environment.GetEnvironmentVariable(prefix + "_COMMAND") is { Length: > 0 } command)
                return FromCommand(command);
        }
        throw new RepositoryException(
            RepositoryError.Refused,
            $"there is no password; give {option} FILE, or {prefixes[0]}, {prefixes[0]}_FILE or {prefixes[0]}_COMMAND "
                + "in the environment"
        );
    }

    static string FromFile(string path)
    {
        try
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
                throw new RepositoryException(
                    RepositoryError.Refused,
                    $"password file '{path}' can be read or written by others; take that away with 'chmod 600 {path}'"
                );
            return Checked(File.ReadAllText(path), $"password file '{path}'");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RepositoryException(
                RepositoryError.Refused,
                $"cannot read password file '{path}': {exception.Message}",
                exception
            );
        }
    }

    static string FromCommand(string command)
    {
        ProcessStartInfo start = new("/bin/sh", ["-c", command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            System.Threading.Tasks.Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(s_commandLimit))
            {
                process.Kill(entireProcessTree: true);
                throw new RepositoryException(RepositoryError.Refused, "the password command did not end in time");
            }
            if (process.ExitCode != 0)
                throw new RepositoryException(
                    RepositoryError.Refused,
                    $"the password command ended with exit code {process.ExitCode}; what it says is above"
                );
            return Checked(output.GetAwaiter().GetResult(), "what the password command has written");
        }
        catch (Exception exception) when (exception is IOException or System.ComponentModel.Win32Exception)
        {
            throw new RepositoryException(
                RepositoryError.Refused,
                $"cannot run the password command: {exception.Message}",
                exception
            );
        }
    }

    /// <summary>Without what stands around it, as restic takes it.</summary>
    static string Checked(string text, string what)
    {
        string password = text.Trim();
        return password.Length > 0
            ? password
            : throw new RepositoryException(
                RepositoryError.Refused,
                $"{what} is empty; a password has a letter at least"
            );
    }
}
