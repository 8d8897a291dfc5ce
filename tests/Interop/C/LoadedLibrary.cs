// The bindings' library in this process: the one built from this tree, wherever the system may have another.
using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using FastBackup.Interop.Host;
using Xunit;
using static FastBackup.Interop.Host.LibFastBackup;

namespace FastBackup.Tests.Interop.C;

static unsafe class LoadedLibrary
{
    static readonly Lazy<nint> Handle = new(Load);

    /// <summary>Builds and loads it; later calls do nothing.</summary>
    public static void Require() => Assert.NotEqual(0, Handle.Value);

    /// <summary>The status is this one; else the test ends with the library's sentence.</summary>
    public static void AssertIs(int expected, int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != expected)
            Assert.Fail($"{call} is {TextOf(fb_status_name(status))}: {LastErrorText()}");
    }

    public static string LastErrorText()
    {
        fb_error error = new() { struct_size = (uint)sizeof(fb_error) };
        Assert.Equal(FB_OK, fb_last_error(&error));
        return Encoding.UTF8.GetString(error.text, (int)error.text_length);
    }

    public static string TextOf(byte* text) => Marshal.PtrToStringUTF8((nint)text)!;

    static nint Load()
    {
        nint handle = NativeLibrary.Load(BuiltLibrary.BaselineFile);
        NativeLibrary.SetDllImportResolver(
            typeof(LibFastBackup).Assembly,
            (name, _, _) => name == Path.GetFileName(BuiltLibrary.BaselineFile) ? handle : 0
        );
        return handle;
    }
}
