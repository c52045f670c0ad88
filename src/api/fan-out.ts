/** The channels of this process: whoever follows the same thing with the same view shares one, executed and written out once. */
import { createSourceEventStream, type ExecutionResult, type GraphQLSchema } from "graphql";
import type { Viewer } from "../accounts/viewer";
import type { Log } from "../platform/log";
import type { Metrics } from "../platform/metrics";
import { asSystem } from "../platform/tenancy";
import type { Services } from "../services";
import type { Context } from "./context";
import { channelKey } from "./fan-out-key";
import { createLoaders } from "./loaders";
import { onBehalfOf } from "./on-behalf-of";
import type { Prepared } from "./operations";
import type { Channel } from "./streams/channel";
import { DurableChannel } from "./streams/durable-channel";
import { LatestChannel } from "./streams/latest-channel";
import type { Outlet } from "./streams/outlet";
import { createRendering, never } from "./streams/rendering";
import { Subscribable } from "./streams/stream";
import { createStreamFigures, type StreamFigures } from "./streams/stream-figures";

export interface FanOutDependencies {
  readonly schema: GraphQLSchema;
  readonly services: Services;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** A subscription that its resolver has let in. */
export interface Admission {
  /** Returns the function by which the subscriber leaves. */
  join(outlet: Outlet): () => void;
}

export class FanOut {
  private readonly channels = new Map<string, Channel>();
  private readonly figures: StreamFigures;

  constructor(private readonly dependencies: FanOutDependencies) {
    this.figures = createStreamFigures(dependencies.metrics);
    dependencies.metrics.gauge({
      name: "exergy_api_stream_channels",
      help: "Streams that are followed, each by any number of subscribers.",
      read: () => this.channels.size,
    });
  }

  /** Asks the resolver, which authorises each subscriber for itself; a result with errors when it refuses. */
  async admit(prepared: Prepared, viewer: Viewer | null, requestId: string): Promise<Admission | ExecutionResult> {
    const { schema, services } = this.dependencies;
    const contextValue: Context = {
      viewer,
      loaders: createLoaders(services),
      services,
      requestId,
      signal: never,
    };
    const source = await onBehalfOf(viewer, requestId, "primary", () =>
      createSourceEventStream({
        schema,
        document: prepared.document,
        operationName: prepared.operationName,
        variableValues: prepared.variables,
        contextValue,
      }),
    );
    if (!(Symbol.asyncIterator in source)) return source;
    if (!(source instanceof Subscribable))
      throw new Error("a subscription declares its stream with durable() or latest()");
    return { join: (outlet) => this.join(source, prepared, viewer, outlet) };
  }

  private join({ stream, after }: Subscribable, prepared: Prepared, viewer: Viewer | null, outlet: Outlet): () => void {
    const key = channelKey(prepared, viewer);
    // A channel outlives the request that opened it, and acts for its viewers by itself.
    return asSystem(() => {
      const channel = this.channels.get(key) ?? this.open(key, stream, prepared, viewer);
      return channel.join(outlet, after);
    });
  }

  private open(key: string, stream: Subscribable["stream"], prepared: Prepared, viewer: Viewer | null): Channel {
    const { services, log } = this.dependencies;
    const { figures } = this;
    const rendering = createRendering(prepared, viewer, { services, log, figures });
    const onEmpty = () => {
      if (this.channels.get(key) === channel) this.channels.delete(key);
    };
    const channel: Channel =
      stream.kind === "LATEST"
        ? new LatestChannel(stream, { bus: services.bus, rendering, figures, onEmpty })
        : new DurableChannel(stream, { tail: services.tail, outbox: services.outbox, rendering, figures, onEmpty });
    this.channels.set(key, channel);
    return channel;
  }
}
