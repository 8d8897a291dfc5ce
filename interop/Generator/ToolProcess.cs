// Runs a compiler, or a program that it made, to its end.
using System.ComponentModel;
using System.Diagnostics;
using System.Threading.Tasks;

namespace FastBackup.Interop.Generator;

static class ToolProcess
{
    /// <param name="command">A name in PATH, or a full path.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="input">What the program reads from its standard input.</param>
    /// <returns>What it wrote to its standard output. Any exit code but 0 ends the generator.</returns>
    public static string Run(string command, string[] arguments, string input)
    {
        ProcessStartInfo start = new(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            process.StandardInput.Write(input);
            process.StandardInput.Close();
            process.WaitForExit();
            return process.ExitCode == 0
                ? output.Result
                : throw new GeneratorException($"{command} ended with {process.ExitCode}\n{errors.Result}");
        }
        catch (Win32Exception error)
        {
            throw new GeneratorException($"{command} cannot be run: {error.Message}");
        }
    }
}
