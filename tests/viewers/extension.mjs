// OHIF's own extension for SR, run without its viewer: what it lists of an SR, and what it draws on a series.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as glMatrix from 'gl-matrix';

const EXTENSION = '@ohif/extension-cornerstone-dicom-sr';

// Anything that may be asked for, called, extended or gone through, and does nothing.
const nothing = () =>
  new Proxy(class {}, {
    get: (target, name) =>
      name === Symbol.toPrimitive
        ? () => ''
        : name === 'prototype'
          ? target.prototype
          : (target[name] ?? (target[name] = nothing())),
    apply: () => nothing(),
  });

export async function drawnByExtension({ dataset, images, core, adapters }) {
  const drawn = [];
  const handler = load({ images, drawn, core, adapters });
  const series = {
    displaySetInstanceUID: 'source',
    FrameOfReferenceUID: [...images.values()][0].dataset.FrameOfReferenceUID,
  };
  const source = { getImageIdsForDisplaySet: () => [...images.keys()], retrieve: {} };
  const servicesManager = {
    services: {
      displaySetService: { activeDisplaySets: [series], subscribe() {}, EVENTS: {} },
      measurementService: { getSourceMappings: () => [{ annotationType: 'Bidirectional' }] },
      customizationService: { getCustomization() {} },
      uiNotificationService: { show() {} },
    },
  };
  const extensionManager = { getActiveDataSource: () => [source], getDataSources: () => [source] };
  const module = handler.getSopClassHandlerModule({ servicesManager, extensionManager });
  const [displaySet] = module[0].getDisplaySetsFromSeries([dataset]);
  let error;
  try {
    await displaySet.load();
  } catch (caught) {
    error = String(caught);
  }
  return {
    error,
    referencedImages: displaySet.referencedImages?.length,
    rehydratable: displaySet.isRehydratable,
    listed: (displaySet.measurements ?? []).map(item => ({
      trackingIdentifier: item.TrackingIdentifier,
      trackingUid: item.TrackingUniqueIdentifier,
      labels: item.labels.map(one => `${one.label}: ${one.value}`),
      loaded: item.loaded,
    })),
    drawn,
  };
}

function load({ images, drawn, core, adapters }) {
  const uids = id => {
    const { dataset, frame } = images.get(id);
    return { SOPInstanceUID: dataset.SOPInstanceUID, frameNumber: frame };
  };
  const addAnnotation = ({ metadata, data }) =>
    drawn.push({
      trackingUid: data.TrackingUniqueIdentifier,
      labels: data.labels.map(one => `${one.label}: ${one.value}`),
      image: metadata.referencedImageId,
      shapes: data.renderableData,
    });
  const tools = nothing();
  tools.annotation.state.addAnnotation = addAnnotation;
  const ohif = nothing();
  ohif.classes.MetadataProvider = { getUIDsFromImageID: uids };
  ohif.utils = {
    guid: () => 'guid',
    sortStudyInstances: list => list,
    sortDisplaySetsCopy: list => list,
    sopClassDictionary: { Comprehensive3DSR: '1.2.840.10008.5.1.4.1.1.88.34' },
  };
  const held = {
    '@ohif/core': ohif,
    '@cornerstonejs/adapters': adapters,
    '@cornerstonejs/core': core,
    '@cornerstonejs/tools': tools,
    'gl-matrix': glMatrix,
  };
  const path = createRequire(import.meta.url).resolve(EXTENSION);
  const module = { exports: {} };
  const run = new Function('module', 'exports', 'require', 'self', 'window', readFileSync(path, 'utf8'));
  run(module, module.exports, name => held[name] ?? nothing(), globalThis, globalThis);
  return module.exports.default;
}
